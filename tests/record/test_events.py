import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from harness.record.chain import BrokenChainError
from harness.record.log import EventLog, read_events
from harness.record.schema import Evaluation, NoProfile, Ready, Warm


def evaluation(step: int, accuracy: float) -> Evaluation:
    metrics: dict[str, float | None] = {"accuracy": accuracy}
    return Evaluation(grid=step, step=step, timed_s=0.5, examples=step, validation=metrics)


def write_log(path: Path, count: int = 3) -> Path:
    log = EventLog(path)
    for number in range(count):
        log.append(evaluation(number, 0.1 * number))
    log.close()
    return path


def test_events_come_back_in_order_with_who_said_them(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.append(Ready())
    log.append(Warm(compile_s=0.5, steps=3), "worker")
    log.close()
    events = read_events(tmp_path / "events.jsonl")
    assert [(e.seq, e.kind, e.by) for e in events] == [
        (0, "ready", "referee"),
        (1, "warm", "worker"),
    ]


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_torn_last_line_loses_that_line_only(tmp_path: Path, cut: int) -> None:
    path = write_log(tmp_path / "events.jsonl")
    path.write_bytes(path.read_bytes()[:-cut])
    assert len(read_events(path)) == 2
    log = EventLog(path)
    log.append(NoProfile(why="a test"))
    log.close()
    assert [event.kind for event in read_events(path)] == ["evaluation", "evaluation", "no_profile"]


@given(st.data())
def test_any_changed_byte_before_the_last_line_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = write_log(tmp_path_factory.mktemp("log") / "events.jsonl")
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 2))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    content[place] = value
    path.write_bytes(bytes(content))
    with pytest.raises(BrokenChainError):
        read_events(path)


def test_a_removed_line_is_found(tmp_path: Path) -> None:
    path = write_log(tmp_path / "events.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[2])
    with pytest.raises(BrokenChainError, match="line 2"):
        read_events(path)


def test_nan_is_no_value_of_an_event(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    with pytest.raises(ValueError, match="finite number"):
        evaluation(1, float("nan"))
    unchecked = evaluation(1, 0.5).model_copy(update={"validation": {"loss": float("nan")}})
    with pytest.raises(ValueError, match="JSON compliant"):
        log.append(unchecked)
    log.close()


def test_a_full_disk_is_a_clear_error_and_keeps_what_was_written() -> None:
    log = EventLog.__new__(EventLog)
    with Path("/dev/full").open("ab", buffering=0) as full:
        log.path, log._file, log._last = Path("/dev/full"), full, None
        with pytest.raises(HarnessError, match="No space left"):
            log.append(NoProfile(why="a test"))


def test_every_line_is_canonical_json(tmp_path: Path) -> None:
    path = write_log(tmp_path / "events.jsonl")
    for line in path.read_text().splitlines():
        assert json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")) == line
