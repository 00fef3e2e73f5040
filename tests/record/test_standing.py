"""The mark of an entry: by its band, its audits and its organiser's word, in order of weight."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.record.schema.audited import TrialAudited
from harness.record.standing import EntryKey, Standing, with_marks
from tests.scoring.made_frames import frame

BEYOND = "3 s, and the band ends at 4"


def audit(claimed_s: float, **other: object) -> TrialAudited:
    """One that agrees, of `a` on `w`."""
    (trial,) = frame({("a", "w"): [claimed_s]}).to_dict("records")
    values = {
        "identity": "1" * 64, "rerun": "2" * 64, "round": "3" * 64, "submission": "a",
        "entry_hash": trial["content_hash"], "workload": "w", "variant": "base",
        "rerun_variant": "base", "framework": "torch", "claimed_s": claimed_s,
        "found_s": claimed_s, "verdict": "agrees",
    }  # fmt: skip
    return TrialAudited.model_validate(values | other)


def marks(times: list[float], *audits: TrialAudited, beyond: str = "", **said: Any) -> list[str]:
    """The marks of an entry's trials on `w`, the first of which is beyond the band."""
    results = frame({("a", "w"): times})
    results["beyond"] = [beyond, *[""] * (len(times) - 1)]
    key = EntryKey("a", str(results.loc[0, "content_hash"]))
    marked = with_marks(results, audits, {key: Standing(**said)} if said else {})
    return list(marked["mark"])


def test_a_trial_beyond_the_band_holds_all_of_its_entry() -> None:
    assert marks([3.0, 9.0], beyond=BEYOND) == ["held", "held"]
    assert marks([3.0, 9.0]) == ["self-reported", "self-reported"]


def test_an_entry_is_held_under_its_own_name_and_content_alone() -> None:
    results = frame({("a", "w"): [3.0], ("b", "w"): [9.0]})
    results["beyond"] = [BEYOND, ""]
    marked = with_marks(results)
    assert marked["mark"].tolist() == ["held", "self-reported"]
    assert marked["mark_reason"].tolist() == [f"w: {BEYOND}", ""]


def test_an_audit_that_agrees_covers_what_is_not_faster() -> None:
    assert marks([3.0, 9.0], audit(3.0), beyond=BEYOND) == ["audited", "audited"]
    assert marks([3.0, 9.0], audit(9.0), beyond=BEYOND) == ["held", "held"]


def test_an_audit_of_another_workload_covers_nothing() -> None:
    assert marks([3.0], audit(3.0, workload="v"), beyond=BEYOND) == ["held"]
    assert marks([9.0], audit(9.0, framework="jax")) == ["self-reported"]


def test_the_last_audit_of_a_workload_decides() -> None:
    slower = audit(3.0, found_s=30.0, verdict="slower")
    assert marks([3.0], audit(3.0), slower) == ["held"]
    assert marks([3.0], slower, audit(3.0)) == ["audited"]


def test_an_audit_on_another_variant_decides_nothing() -> None:
    assert marks([9.0], audit(9.0, rerun_variant="wide", verdict="slower")) == ["self-reported"]


def test_an_organisers_verdict_outweighs_an_audit() -> None:
    assert marks([3.0], audit(3.0), mark="disqualified", reason="why") == ["disqualified"]
    assert marks([3.0], audit(3.0), mark="verified", reason="why") == ["audited"]
    assert marks([3.0], beyond=BEYOND, mark="verified", reason="why") == ["held"]


def test_a_trial_that_missed_needs_no_audit() -> None:
    missed = float("inf")
    assert marks([3.0, missed], audit(3.0)) == ["audited", "audited"]
    assert marks([missed]) == ["self-reported"]


def test_marks_keep_the_rows_of_a_frame_in_their_order() -> None:
    results = frame({("b", "w"): [9.0, 8.0], ("a", "w"): [7.0]}).iloc[::-1]
    marked = with_marks(results.assign(beyond=""))
    pd.testing.assert_series_equal(marked["identity"], results["identity"])
