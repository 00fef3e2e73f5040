"""Verify: a whole store fits, and whatever is changed in it is found and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.import_records import import_records
from harness.core.canonical import canonical_json, sha256_text
from harness.core.errors import HarnessError
from harness.plan.redraw import mismatches
from harness.record.attempts import of_type
from harness.record.chain import GENESIS
from harness.record.log import read_events
from harness.record.plan import write_plan
from harness.record.schema import Evaluation, Part
from harness.record.store import read_record
from harness.record.tables import curves_frame, results_frame
from harness.verification.rerun import chosen_records, open_again
from harness.verification.store import verify_store
from scoring.flags import trial_flags
from tests.record import conftest
from tests.record.conftest import PART_AT, SampleStore

Json = dict[str, Any]
"""An event as its line has it."""

FILES = ("trial.json", "events.jsonl", "ledger.jsonl")


def place_of(sample: SampleStore, name: str) -> Path:
    return (sample.store if name == "ledger.jsonl" else sample.folder) / name


def findings(sample: SampleStore) -> str:
    return "\n".join(map(str, verify_store(sample.store).findings))


def rewrite(path: Path, change: Callable[[Json], None]) -> None:
    """Change events and chain them anew, as a careful forger would."""
    previous, lines = GENESIS, []
    for line in path.read_text().splitlines():
        event = json.loads(line)
        change(event)
        body = {k: v for k, v in event.items() if k != "hash"} | {"previous": previous}
        previous = sha256_text(canonical_json(body))
        lines.append(canonical_json({**body, "hash": previous}) + "\n")
    path.write_text("".join(lines))


def test_a_store_as_it_was_written_fits(sample: SampleStore) -> None:
    assert findings(sample) == ""


@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_any_changed_byte_of_a_record_is_found(
    shared_sample: SampleStore, name: str, fraction: float, change: int
) -> None:
    path = place_of(shared_sample, name)
    whole = path.read_bytes()
    content = bytearray(whole)
    content[int(fraction * len(content))] ^= change
    path.write_bytes(bytes(content))
    try:
        assert findings(shared_sample) != ""
    finally:
        path.write_bytes(whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_byte_of_a_record_counts(shared_sample: SampleStore, name: str) -> None:
    path = place_of(shared_sample, name)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert findings(shared_sample), f"byte {place} of {name}"
    path.write_bytes(whole)


@pytest.mark.parametrize(
    ("kind", "path", "value", "words"),
    [
        ("end", ("result", "time_to_target_s"), 0.5, "time_to_target_s is 0.5"),
        ("end", ("result", "state"), "budget", "the state is 'budget'"),
        ("end", ("result", "interference"), ["a quake"], "interference is"),
        ("end", ("result", "steps"), 3, "steps is 3"),
        ("evaluation", ("validation", "accuracy"), 0.99, "its evaluation is due"),
        ("evaluation", ("grid",), 9, "evaluation"),
        ("snapshot", ("fraction",), 0.5, "the fraction is 0.5"),
        ("snapshot", ("grid",), 3, "grid point 1 was due"),
        ("snapshot", ("is_look",), True, "a look was not due there"),
        ("snapshot", ("is_look",), False, "a look was due there"),
        ("end", ("result", "last_miss_s"), 0.5, "last_miss_s is 0.5"),
        ("begin", ("attempt",), 2, "lacks the line 'begun' of attempt 2"),
        ("begin", ("attempt",), 0, "an attempt is numbered 0"),
        ("begin", ("identity",), "0", "to another trial"),
        ("begin", ("fingerprint",), "0", "the fingerprint"),
    ],
)
def test_a_chained_forgery_does_not_fit_the_rules(
    sample: SampleStore, kind: str, path: tuple[str, ...], value: object, words: str
) -> None:
    def change(event: Json) -> None:
        if event["kind"] == kind:
            inner = event["data"]
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value

    rewrite(sample.folder / "events.jsonl", change)
    assert words in findings(sample)


LIKELY = Part(examples=19_999, of=20_000, standard_errors={"accuracy": 1e-5})


def test_a_likely_miss_fits_and_is_made_sure_of_where_it_stays_the_last(
    tmp_path: Path,
) -> None:
    sample = SampleStore(tmp_path, part=LIKELY)
    assert findings(sample) == ""
    evaluations = of_type(read_events(sample.log), Evaluation)
    points = [(event.grid, event.part is None) for event in evaluations]
    assert points == [(5, True), (10, True), (6, False), (7, True), (6, True)]
    curve = curves_frame(sample.store)
    assert curve["step"].tolist() == [500, 600, 700, 1000]
    assert set(curve["standard_error"]) == {0.0}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (LIKELY.model_copy(update={"examples": 20_000}), "20000 examples of 20000 are not a part"),
        (
            LIKELY.model_copy(update={"examples": 1250}),
            "1250 examples make the outcome not even likely",
        ),
        (LIKELY.model_copy(update={"standard_errors": {}}), "make the outcome not even likely"),
        (LIKELY.model_copy(update={"beside": 4}), "beside grid point 4: no whole split before"),
    ],
)
def test_a_part_that_makes_nothing_likely_is_found(tmp_path: Path, part: Part, words: str) -> None:
    assert words in findings(SampleStore(tmp_path, part=part))


def test_a_hit_of_which_only_a_part_was_evaluated_is_found(sample: SampleStore) -> None:
    def shorten(event: Json) -> None:
        if event["kind"] == "evaluation" and event["data"]["grid"] == 7:
            event["data"]["part"] = LIKELY.as_json()

    rewrite(sample.log, shorten)
    assert "grid point 7: its evaluation is due; found: none" in findings(sample)


def test_a_last_miss_of_which_only_a_part_was_evaluated_is_found(tmp_path: Path) -> None:
    sample = SampleStore(tmp_path, part=LIKELY)

    def shorten(event: Json) -> None:
        if event["kind"] == "evaluation" and event["data"]["grid"] == PART_AT:
            event["data"]["part"] = LIKELY.as_json()

    rewrite(sample.log, shorten)
    assert "grid point 6: 19999 examples make the outcome clear; it must be whole" in findings(
        sample
    )


def test_a_chained_forgery_that_fits_the_rules_is_not_what_the_ledger_has(
    sample: SampleStore,
) -> None:
    rewrite(sample.folder / "events.jsonl", lambda event: event.update(at="2000-01-01T00:00:00"))
    assert "an end of attempt 1 that is not there" in findings(sample)


def test_a_planned_trial_that_is_gone_is_named(sample: SampleStore) -> None:
    shutil.copytree(sample.folder, sample.folder.with_name("trial_2-copied"))
    shutil.rmtree(sample.folder)
    assert "belongs in" in findings(sample)
    assert "was planned and is not there" in findings(sample)


def test_a_second_run_without_a_rerun_is_found(sample: SampleStore) -> None:
    sample.attempt(2)
    sample.conclude()
    assert "run again without a rerun" in findings(sample)


def test_an_ended_trial_that_was_thrown_away_and_run_again_is_found(sample: SampleStore) -> None:
    shutil.rmtree(sample.folder)
    write_plan([sample.trial], sample.store)
    sample.attempt(1)
    sample.conclude()
    assert "attempt 1 begin 2 times" in findings(sample)


def test_an_ended_attempt_that_another_has_replaced_is_found(sample: SampleStore) -> None:
    shutil.rmtree(sample.folder)
    sample.run()
    assert "has an end of attempt 1 that is not there" in findings(sample)


def test_seeds_and_points_follow_from_the_round(sample: SampleStore) -> None:
    other = sample.trial.model_copy(update={"instance_seed": "0" * 32})
    changed_trial = sample.trial.model_copy(
        update={"point": sample.trial.point | {"learning_rate": 0.5}}
    )
    names = {what for _, what in mismatches([other, changed_trial], None)}
    assert names == {
        "the instance seed does not follow from the round's",
        "the point is not the one that the round draws",
    }
    assert [what for _, what in mismatches([sample.trial], "another")] != []


def with_text(sample: SampleStore, files: str) -> None:
    """Run the trial once more, by command, from another text of the submission."""
    (record,) = chosen_records(sample.store, (sample.folder.name,), with_flagged=False)
    open_again(sample.store, record, "a test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conftest, "FILES", files)
        sample.run()


def test_several_texts_under_one_content_hash_are_said(sample: SampleStore) -> None:
    with_text(sample, conftest.FILES)
    assert verify_store(sample.store).texts == ()
    with_text(sample, "0" * 64)
    report = verify_store(sample.store)
    assert report.findings == ()
    (words,) = report.texts
    assert words.startswith("texts: 2 texts ran under one content hash of adamw, ")
    frame = results_frame(sample.store)
    assert frame["files"].tolist() == ["0" * 64]
    both = pd.concat([frame, frame.assign(files=conftest.FILES)])
    assert words in trial_flags(both)


@pytest.mark.parametrize(("version", "age"), [(1, "an older"), (3, "a newer")])
@pytest.mark.parametrize("bare", [False, True])
def test_another_version_is_refused_with_the_reason(
    sample: SampleStore, version: int, age: str, bare: bool
) -> None:
    path = sample.folder / "trial.json"
    value = json.loads(path.read_text())
    value["trial"] |= {"schema_version": version, "unknown": 1}
    path.write_text(json.dumps(value["trial"] if bare else value))
    why = rf"written by {age} version (.|\n)* schema_version {version}, (.|\n)*run --out DIR"
    for read in (
        lambda: read_record(path),
        lambda: results_frame(sample.store),
        lambda: write_plan([sample.trial], sample.store),
        lambda: import_records(sample.store / "logs", "algoperf-v0.5", sample.store),
        lambda: chosen_records(sample.store, (sample.folder.name,), with_flagged=False),
    ):
        with pytest.raises(HarnessError, match=why):
            read()
    assert f"written by {age} version" in findings(sample)
