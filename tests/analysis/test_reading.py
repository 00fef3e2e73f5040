"""One look at a store gives what its frames and its verification give, each by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.reading import StoreReading, read_store
from harness.core.errors import HarnessError
from harness.record.store import record_paths
from harness.record.tables import curves_frame, results_frame
from harness.verification.store import verify_store
from tests.fuzz.mutations import mutate
from tests.record.conftest import SampleStore


def apart(store: Path) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """The frames of a store and what does not fit in it, read one after the other."""
    verification = verify_store(store, replays=False)
    mismatches = tuple(str(one) for one in verification.findings if not one.is_missing)
    return results_frame(store), curves_frame(store), mismatches, verification.missing


def at_once(store: Path) -> StoreReading | None:
    try:
        return read_store(store, keep_curves=True)
    except HarnessError:
        return None


def check_that_they_agree(store: Path) -> None:
    reading = at_once(store)
    try:
        trials, curves, mismatches, missing = apart(store)
    except HarnessError:
        assert reading is None
        return
    assert reading is not None
    pd.testing.assert_frame_equal(reading.trials, trials)
    pd.testing.assert_frame_equal(reading.curves(), curves)
    assert (reading.evidence.mismatches, reading.evidence.missing_trials) == (mismatches, missing)


@given(st.data())
@settings(max_examples=50)
def test_of_a_damaged_store_they_say_the_same(
    shared_sample: SampleStore, data: st.DataObject
) -> None:
    names = ["trial.json", "events.jsonl", "ledger.jsonl"]
    name = data.draw(st.sampled_from(names))
    path = (shared_sample.store if name == "ledger.jsonl" else shared_sample.folder) / name
    whole = path.read_bytes()
    path.write_bytes(data.draw(mutate(whole)))
    try:
        check_that_they_agree(shared_sample.store)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("lost", ["events.jsonl", "trial.json", "."])
def test_of_a_store_that_lost_a_file_they_say_the_same(sample: SampleStore, lost: str) -> None:
    place = sample.folder / lost
    shutil.copytree(sample.folder, sample.folder.with_name("trial_2-copied"))
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    check_that_they_agree(sample.store)


def test_curves_that_were_not_kept_are_read_when_they_are_asked_for(sample: SampleStore) -> None:
    reading = read_store(sample.store)
    pd.testing.assert_frame_equal(reading.curves(), curves_frame(sample.store))


NAMES = st.sampled_from(["a", "b-c", "B", ".hidden"])
STUDIES = st.sampled_from(["study_1", "study_10", "study_2", "slurm"])
TRIALS = st.sampled_from(["trial_1", "trial_10-ab", "trial_2", "tensorboard"])


@given(st.lists(st.tuples(NAMES, NAMES, STUDIES, TRIALS, st.booleans()), max_size=12))
def test_records_are_found_in_the_order_of_their_paths(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[str, str, str, str, bool]]
) -> None:
    store = tmp_path_factory.mktemp("store")
    for suite, entry, study, trial, has_record in places:
        folder = store / suite / entry / study / trial
        folder.mkdir(parents=True, exist_ok=True)
        if has_record:
            (folder / "trial.json").write_text("{}")
    assert record_paths(store) == sorted(store.glob("*/*/study_*/trial_*/trial.json"))
