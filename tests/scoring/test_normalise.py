"""Another machine's records: in the seconds of the first, flagged, or refused."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.core.errors import HarnessError
from scoring.evaluate import score_results
from scoring.frame import prepare
from scoring.normalise import brackets, normalise

from .made_frames import Row, row


def trial(submission: str, study: int, begin: int, time_s: float = 10.0, **other: object) -> Row:
    """A trial of 1000 steps that began at a minute of the hour and took two."""
    at = {"begun_at": f"2026-01-01T00:{begin:02}", "ended_at": f"2026-01-01T00:{begin + 2:02}"}
    values = at | {"timed_s": 20.0, "steps": 1000} | other
    return row(submission, "mlp", study, time_s, **values)


def here() -> pd.DataFrame:
    return prepare(pd.DataFrame([trial("adamw", study, 0) for study in (1, 2)]))


def there(**changes: object) -> pd.DataFrame:
    """The reference takes twice as long there; muon's two studies lie in between."""
    slow = {"hardware": "box-2", "timed_s": 40.0}
    rows = [trial("adamw", 1, 0, 20.0, **slow), trial("adamw", 2, 30, 20.0, **slow | changes)]
    rows += [trial("muon", study, 10 * study, 20.0, **slow, budget_s=120.0) for study in (1, 2)]
    return prepare(pd.DataFrame(rows))


def test_times_come_into_the_first_machines_seconds_and_the_score_says_so() -> None:
    frame = normalise(here(), there(), "adamw")
    muon = frame[frame["submission"] == "muon"]
    assert (len(frame), muon["time_to_target_s"].tolist()) == (4, [10.0, 10.0])
    assert muon["budget_s"].tolist() == [60.0, 60.0]
    board = score_results(frame)
    assert board.medians.tolist() == [[10.0], [10.0]]
    (flag,) = board.flags
    assert flag.startswith("normalised: mlp: seconds of box-2 divided by 2, adamw's")
    with pytest.raises(HarnessError, match="mixed-hardware"):
        score_results(pd.concat([here(), there()]))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (there(begun_at="2026-01-01T00:12", ended_at="2026-01-01T00:14"), "not run between two"),
        (there(timed_s=60.0), "2 to 3 times slower"),
        (there(hardware="box-1"), "2 machines: box-1, box-2"),
        (there().assign(hardware="box-1"), "both folders are of machine box-1"),
        (there().assign(instance_seed="f" * 32), "no trial of adamw on mlp ran on both"),
        (there().replace({"submission": {"muon": "adamw"}}).iloc[:0], "no trial has begun"),
    ],
)
def test_what_is_not_interleaved_or_not_comparable_is_refused(
    other: pd.DataFrame, words: str
) -> None:
    with pytest.raises(HarnessError, match=words):
        normalise(here(), other, "adamw")


def test_the_reference_is_the_same_where_only_what_all_that_ship_share_has_changed() -> None:
    def at(frame: pd.DataFrame, own: str, shared: str) -> pd.DataFrame:
        return frame.assign(content_hash=own * 32 + shared * 32)

    frame = normalise(at(here(), "a", "b"), at(there(), "a", "c"), "adamw")
    assert frame.loc[frame["submission"] == "muon", "time_to_target_s"].tolist() == [10.0, 10.0]
    with pytest.raises(HarnessError, match="no trial of adamw on mlp ran on both"):
        normalise(at(here(), "a", "b"), at(there(), "d", "b"), "adamw")


def test_more_than_a_study_between_is_refused() -> None:
    more = pd.DataFrame([trial("muon", s, 20 + s, hardware="box-2") for s in (3, 4, 5)])
    with pytest.raises(HarnessError, match=r"at most 3 others"):
        normalise(here(), prepare(pd.concat([there(), more])), "adamw")


def test_an_entry_of_both_machines_is_refused() -> None:
    both = pd.concat([here(), prepare(pd.DataFrame([trial("muon", 1, 0)]))])
    with pytest.raises(HarnessError, match="in both folders: muon on mlp"):
        normalise(both, there(), "adamw")


def test_a_trial_knows_when_the_reference_ran_around_it() -> None:
    first, second = brackets(there(), "adamw")
    assert (first.before, first.after, first.between) == (
        "2026-01-01T00:02", "2026-01-01T00:30", 2,
    )  # fmt: skip
    assert first.is_between
    assert second.before == first.before


def test_a_trial_that_only_lacks_the_reference_after_it_is_close() -> None:
    rows = [trial("adamw", 1, 0), *(trial("muon", study, 10 * study) for study in (1, 2, 3, 4))]
    few, many = (brackets(prepare(pd.DataFrame(rows[:end])), "adamw") for end in (4, 5))
    assert all(each.is_close and not each.is_between for each in few)
    assert not any(each.is_close for each in many)
