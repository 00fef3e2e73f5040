"""A trial from which other programs took much of the processors: flagged, never rerun for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.record.tables import results_frame
from harness.verification.rerun import chosen_records
from harness.verification.store import verify_store
from scoring.flags import trial_flags
from tests.record import conftest
from tests.record.conftest import SampleStore


def test_it_is_flagged_in_record_and_table_and_is_no_ground_for_a_rerun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(conftest.MACHINE, "taken_fraction", 0.6)
    store = SampleStore(tmp_path).store
    frame = results_frame(store)
    assert frame["contention"].tolist() == ["other programs took 60 % of its processors"]
    assert trial_flags(frame) == (
        "contended: other programs took much of their processors from 1 of 1 trials",
    )
    assert verify_store(store).findings == ()
    with pytest.raises(HarnessError, match=r"no trial of .* is selected"):
        chosen_records(store, (), with_flagged=True)


def test_without_it_nothing_is_said(sample: SampleStore) -> None:
    assert results_frame(sample.store)["contention"].tolist() == [""]
    assert trial_flags(results_frame(sample.store)) == ()
