"""Files of any content: a value or an error message, never a traceback."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from harness.plan.rounds import draw_round, read_round
from harness.plan.trial import TrialRecord
from harness.providers.table import WORKLOADS_ROOT
from harness.record.log import EventLog, read_events
from harness.record.store import read_record, write_record
from harness.record.tables import results_frame
from harness.submission.space import IMPORT_PATH_SPACE, Space, read_space
from harness.verification.store import verify_store
from tests.record.conftest import SampleStore
from workloads.frozen import Frozen
from workloads.spec import Suite, WorkloadSpec
from workloads.toml import parse_toml, read_toml

from .mutations import DEEP, FUZZ, Read, mutate, survives
from .promptly import promptly

TOML: dict[type[Frozen], Path] = {
    Suite: WORKLOADS_ROOT / "suites" / "quick.toml",
    WorkloadSpec: WORKLOADS_ROOT / "mlp" / "workload.toml",
    Space: IMPORT_PATH_SPACE,
}


@pytest.mark.parametrize("kind", TOML, ids=lambda kind: kind.__name__)
@FUZZ
@given(data=st.data())
def test_toml_files(kind: type[Frozen], data: st.DataObject) -> None:
    content = data.draw(mutate(TOML[kind].read_bytes()) | st.binary(max_size=200))
    survives(lambda path: read_toml(path, kind), content)


def test_a_suite_without_a_ruleset_is_refused() -> None:
    text = TOML[Suite].read_text().partition("[rulesets.self]")[0]
    with pytest.raises(HarnessError, match="needed: external and self"):
        parse_toml(text, "file", Suite)


@FUZZ
@given(st.text(max_size=300))
@example("a = " + "[" * 5000)
@example("a = " + "9" * 5000)
def test_toml_texts(text: str) -> None:
    for kind in TOML:
        with pytest.raises(HarnessError):
            parse_toml(text, "file", kind)


@FUZZ
@given(st.data())
def test_spaces_draw_what_they_accept(data: st.DataObject) -> None:
    number = st.floats() | st.integers(-(10**30), 10**30)
    low, high = data.draw(number), data.draw(number)
    scale = data.draw(st.sampled_from(["linear", "log", "one_minus_log"]))
    kind = data.draw(st.sampled_from(["real", "integer"]))
    lines = ['summary = "x"', 'family = "x"', 'frameworks = ["torch"]', "[default]", "a = 1.0"]
    lines += ["[space.a]", f"min = {low}", f"max = {high}"]
    lines += [f'scale = "{scale}"', f'type = "{kind}"']
    try:
        space = parse_toml("\n".join(lines), "space.toml", Space)
    except HarnessError:
        return
    value = space.space["a"].value_at(data.draw(st.floats(0, 1, exclude_max=True)))
    if kind == "real":  # a bound of thirty digits is rounded to a float
        low, high = float(low), float(high)
    assert not isinstance(value, str)
    assert low <= value <= high


@FUZZ
@given(data=st.data())
@example(data=None)
def test_records(shared_sample: SampleStore, data: st.DataObject | None) -> None:
    readers: dict[str, Read] = {"trial.json": read_record, "events.jsonl": read_events}
    for name, read in readers.items():
        whole = (shared_sample.folder / name).read_bytes()
        survives(read, DEEP if data is None else data.draw(mutate(whole) | st.binary()))


@FUZZ
@given(data=st.data())
def test_rounds(tmp_path: Path, data: st.DataObject) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    public, _ = draw_round("r", folder)
    survives(read_round, data.draw(mutate(public.read_bytes()) | st.binary(max_size=100)))


@FUZZ
@given(data=st.data())
def test_stores(shared_sample: SampleStore, data: st.DataObject) -> None:
    names = {"trial.json": shared_sample.folder, "events.jsonl": shared_sample.folder}
    name = data.draw(st.sampled_from(["ledger.jsonl", *names]))
    path = names.get(name, shared_sample.store) / name
    whole = path.read_bytes()
    path.write_bytes(data.draw(mutate(whole)))
    try:
        with promptly():
            report = verify_store(shared_sample.store)
        assert bool(report.findings) == (path.read_bytes() != whole)
        results_frame(shared_sample.store)
    except HarnessError as error:
        assert str(error)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("content", ["{}", '{"kind":1}', "[]", "null", "1"])
def test_a_chained_line_that_is_no_event_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "events.jsonl").write_text(content + "\n")
    with pytest.raises(HarnessError, match="line 1"):
        read_events(tmp_path / "events.jsonl")


def test_a_file_that_may_not_be_written_is_a_message(sample: SampleStore) -> None:
    full = Path("/dev/full")
    with pytest.raises(HarnessError, match="cannot"):
        write_record(full, TrialRecord(identity=sample.trial.identity, trial=sample.trial))
    with pytest.raises(HarnessError, match="cannot"):
        EventLog(sample.store / "no such folder" / "events.jsonl")
    with pytest.raises(HarnessError):
        read_space(full)
