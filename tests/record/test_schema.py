"""The schema: every kind comes back as it was written, and nothing else is an event."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from harness.core.canonical import canonical_json
from harness.core.recorded import JsonObject
from harness.plan.trial import SCHEMA_VERSION
from harness.record.attempts import of_type
from harness.record.chain import GENESIS, RawLine, chain_of
from harness.record.imported import FINGERPRINT
from harness.record.ledger import Ledger
from harness.record.log import EventLog, SchemaError, read_events, read_lines
from harness.record.schema import TRIAL_EVENTS, Author, End, EventData, NoReadings, Ready, Warm
from harness.record.schema.ledger import LEDGER_ENTRIES

LOGS = Path(__file__).parent / "logs"
"""Of schema version 2, which whoever changes a model must go on reading, or raise the version."""


def kinds_of(union: object) -> list[type[EventData]]:
    """The models of a union, however it is nested."""
    if isinstance(union, type):
        return [union]
    parts = get_args(union)[:1] if get_origin(union) is Annotated else get_args(union)
    return [model for part in parts for model in kinds_of(part)]


TRIAL_KINDS = kinds_of(TRIAL_EVENTS._type)
LEDGER_KINDS = kinds_of(LEDGER_ENTRIES._type)


PLAIN: Mapping[object, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(max_size=5),
    type(None): st.none(),
}


def values(annotation: object) -> st.SearchStrategy[Any]:
    """Values of a field's type, numbers finite."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return instances(annotation)
    origin, args = get_origin(annotation), get_args(annotation)
    of_origin: Mapping[object, Callable[[], st.SearchStrategy[Any]]] = {
        Annotated: lambda: values(args[0]),
        Literal: lambda: st.sampled_from(args),
        Union: lambda: st.one_of([values(part) for part in args]),
        types.UnionType: lambda: st.one_of([values(part) for part in args]),
        tuple: lambda: st.lists(values(args[0]), max_size=2).map(tuple),
        dict: lambda: st.dictionaries(st.text(max_size=3), values(args[1]), max_size=2),
    }
    return of_origin[origin]() if origin in of_origin else PLAIN[annotation]


def instances(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Values of a model; what need not be there is not always."""
    needed, more = dict[str, Any](), dict[str, Any]()
    for name, field in model.model_fields.items():
        strategy = values(field.annotation)
        if model is End and name == "clock":
            strategy = strategy.map(
                lambda clock: None if clock is None else clock | {"timed_s": 1.0}
            )
        (needed if field.is_required() else more)[name] = strategy
    return st.fixed_dictionaries(needed, optional=more).map(lambda fields: model(**fields))


@pytest.mark.parametrize("kind", TRIAL_KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_event_comes_back(
    tmp_path_factory: pytest.TempPathFactory, kind: type[EventData], data: st.DataObject
) -> None:
    comes_back(tmp_path_factory.mktemp("log") / "log.jsonl", data.draw(instances(kind)))


@pytest.mark.parametrize("kind", LEDGER_KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_entry_of_a_ledger_comes_back(
    tmp_path_factory: pytest.TempPathFactory, kind: type[EventData], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    comes_back(path, data.draw(instances(kind)), LEDGER_ENTRIES)


def comes_back(path: Path, event: EventData, schema: TypeAdapter[Any] = TRIAL_EVENTS) -> None:
    log = EventLog(path)
    log.append(event)
    log.close()
    (line,) = read_lines(path, schema)
    assert (type(line.data), line.data) == (type(event), event)
    assert line.data.as_json() == event.as_json()


def chain_at(path: Path) -> list[RawLine]:
    return chain_of(path.read_bytes(), path)


@pytest.mark.parametrize("name", ["every_kind", "imported"])
def test_the_logs_of_this_version_are_read(name: str) -> None:
    events, chain = read_events(LOGS / f"{name}.jsonl"), chain_at(LOGS / f"{name}.jsonl")
    assert [(e.seq, e.at, e.by, e.kind, e.hash) for e in events] == [
        (line.seq, line.at, line.by, line.kind, line.hash) for line in chain
    ]
    for event, line in zip(events, chain, strict=True):
        assert canonical_json(event.data.as_json()) == canonical_json(line.data), event.kind


def test_a_ledger_of_this_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_bytes((LOGS / "ledger.jsonl").read_bytes())
    entries = [line.data for line in chain_at(LOGS / "ledger.jsonl")]
    assert [entry.as_json() for entry in Ledger(tmp_path).entries()] == entries


def test_the_logs_have_every_kind() -> None:
    names = ("every_kind", "imported")
    kinds = {type(e.data) for name in names for e in read_events(LOGS / f"{name}.jsonl")}
    assert kinds == set(TRIAL_KINDS)


def test_an_end_without_readings_says_so() -> None:
    *_, end = of_type(read_events(LOGS / "every_kind.jsonl"), End)
    assert (end.machine, end.machine_change) == (NoReadings(), None)


def log_of(path: Path, kind: str, data: JsonObject, by: Author = "referee") -> Path:
    """A log whose chain fits, of one line after a proper one."""
    first = RawLine.after(None, Ready(), "referee")
    line = RawLine.after(first, Ready(), by).model_copy(update={"kind": kind, "data": data})
    line = line.model_copy(update={"hash": line.expected_hash})
    path.write_bytes(first.content + line.content)
    assert first.previous == GENESIS
    return path


WARM = {"compile_s": 0.5, "steps": 3}
NEWER = {"schema_version": SCHEMA_VERSION + 1}
IMPORTED = {"origin": "imported", "fingerprint": FINGERPRINT, "source": "a.csv"}


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("evaluatEon", {}, "unknown kind 'evaluatEon'"),
        ("progress", {"timed_s": 1.0, "fraction": 0.5}, "unknown kind 'progress'"),
        ("planned", {}, "unknown kind 'planned'"),
        ("warm", WARM | {"more": 1}, "warm.more: Extra inputs"),
        ("warm", {"steps": 3}, "warm.compile_s: Field required"),
        ("warm", WARM | {"steps": "3"}, "warm.steps: Input should be a valid integer"),
        ("warm", WARM | {"steps": True}, "warm.steps: Input should be a valid integer"),
        ("warm", WARM | {"steps": 10**400}, "warm.steps: Input should be less than or equal to 9"),
        ("warm", WARM | {"kind": "ready"}, "'kind' is not a key of its data"),
        ("begin", {"origin": "dreamt"}, "begin: "),
        (
            "begin",
            IMPORTED | {"schema_version": SCHEMA_VERSION + 1},
            "schema_version: Input should be 2",
        ),
        (
            "begin",
            {"origin": "measured", "schema_version": SCHEMA_VERSION + 1},
            "schema_version: Input should be 2",
        ),
        ("end", {"result": {}}, "end.result.state: Field required"),
    ],
)
def test_what_is_no_event_is_refused_by_name(
    tmp_path: Path, kind: str, data: JsonObject, words: str
) -> None:
    with pytest.raises(SchemaError) as error:
        read_events(log_of(tmp_path / "events.jsonl", kind, data))
    assert "events.jsonl, line 2: " in error.value.message
    assert words in error.value.message
    assert "harness rerun OUT" in error.value.hint


def test_a_clock_needs_the_timed_seconds() -> None:
    end = read_events(LOGS / "imported.jsonl")[-1].data
    assert isinstance(end, End)
    with pytest.raises(ValueError, match="the clock lacks 'timed_s'"):
        End(result=end.result, clock={"idle_s": 1.0})


def test_an_event_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Warm(compile_s=0.5, steps=3).steps = 4  # type: ignore[misc]
