"""The fast reader of logs and the full one agree on every log, damaged and forged ones included."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from harness.core.errors import HarnessError
from harness.record import plain
from harness.record.chain import GENESIS, chain_of, whole_lines
from harness.record.log import EventLog, line_of, lines_of
from harness.record.plain import Line, plain_lines
from harness.record.schema import TRIAL_EVENTS, EventData
from harness.record.schema.ledger import LEDGER_ENTRIES
from tests.fuzz.mutations import mutate
from tests.record.conftest import SampleStore
from tests.record.test_schema import LEDGER_KINDS, LOGS, TRIAL_KINDS, instances

LOG = Path("events.jsonl")
Schema = TypeAdapter[Any]
"""Of the events of a trial, or the entries of a ledger."""
EVERY_KIND = (LOGS / "every_kind.jsonl").read_bytes()
LEDGER = (LOGS / "ledger.jsonl").read_bytes()


def full(content: bytes, schema: Schema) -> list[Line[EventData]] | None:
    """What the reader of single lines makes of a log; None if it refuses it."""
    try:
        return [line_of(line, LOG, schema) for line in chain_of(content, LOG)]
    except HarnessError:
        return None


def contents_of(lines: Iterable[Line[EventData]]) -> list[tuple[object, ...]]:
    return [(e.seq, e.at, e.by, e.hash, type(e.data), e.data.as_json()) for e in lines]


def is_plain(content: bytes, schema: Schema = TRIAL_EVENTS) -> bool:
    """Whether the fast reader takes a log; what it then says is what the full one says."""
    fast, slow = plain_lines(whole_lines(content), schema), full(content, schema)
    if fast is None:
        return False
    assert slow is not None
    assert (fast, contents_of(fast)) == (slow, contents_of(slow))
    return True


def rechain(lines: Iterable[bytes]) -> bytes:
    """Lines with the hashes that their bytes have, whatever they say."""
    previous, log = GENESIS.encode(), b""
    for line in lines:
        body = re.sub(rb'"hash":"\w{64}",', b"", line)
        body = re.sub(rb'"previous":"\w{64}"', b'"previous":"%s"' % previous, body)
        previous = sha256(body).hexdigest().encode()
        head, key, rest = body.rpartition(b'"kind":')
        log += head + (b'"hash":"%s",' % previous if key else b"") + key + rest + b"\n"
    return log


@pytest.mark.parametrize("kind", [*TRIAL_KINDS, *LEDGER_KINDS], ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_what_the_harness_writes_is_plain(
    tmp_path_factory: pytest.TempPathFactory, kind: type[EventData], data: st.DataObject
) -> None:
    events = data.draw(st.lists(instances(kind), min_size=1, max_size=3))
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    with closing(EventLog(path)) as log:
        for event in events:
            log.append(event)
    assert is_plain(path.read_bytes(), TRIAL_EVENTS if kind in TRIAL_KINDS else LEDGER_ENTRIES)


@pytest.mark.parametrize(
    ("content", "schema"),
    [(EVERY_KIND, TRIAL_EVENTS), (LEDGER, LEDGER_ENTRIES)],
    ids=["events", "ledger"],
)
@given(data=st.data())
def test_readers_agree_on_damaged_logs(content: bytes, schema: Schema, data: st.DataObject) -> None:
    assert is_plain(content, schema)
    is_plain(data.draw(mutate(content)), schema)


FORGERIES = (
    (b":", b": "),
    (b'"data":{', b'"data":{ '),
    (b'"data":{', b'"data":{"more":1,'),
    (b'"data":{', b'"data":{"kind":"ready",'),
    (b'"grid":1', b'"grid":1.0'),
    (b'"grid":1', b'"grid":1,"grid":1'),
    (b'"grid":1', b'"grid":1e0'),
    (b'"step":100', b'"step":"100"'),
    (b"1.5", b"1.50"),
    (b"1.5", b"NaN"),
    (b"1.5", b"-0.0"),
    (b"null", b"true"),
    (b"no state", b"n\\u006f state"),
    (b"no state", b"no \xff state"),
    (b"no state", b"no \\ud800 state"),
    (b"no state", b'no \\"kind\\": state'),
    (b"no state", "no état".encode()),
    (b'"by":"worker"', b'"by":"someone"'),
    (b'"at":"2026', b'"at":"\\u0032026'),
    (b'"seq":3}', b'"seq":03}'),
    (b'"seq":3}', b'"seq":3 }'),
    (b'"kind":"ready"', b'"kind":"planned"'),
    (b'"kind":"ready"', b'"kind":"ready","kind":"ready"'),
)
"""Text of a log, and what a forger may put in its place."""
AS_WRITTEN = {b"-0.0", "no état".encode(), b'no \\"kind\\": state'}
"""What the harness might have written."""


@pytest.mark.parametrize(("old", "new"), FORGERIES, ids=lambda part: part.decode("latin-1"))
def test_readers_agree_on_a_forged_log_whose_hashes_fit(old: bytes, new: bytes) -> None:
    lines = [line.replace(old, new) for line in whole_lines(EVERY_KIND)]
    assert lines != whole_lines(EVERY_KIND)
    assert is_plain(rechain(lines)) == (new in AS_WRITTEN)


@given(data=st.data())
def test_readers_agree_on_any_forgery_whose_hashes_fit(data: st.DataObject) -> None:
    lines = whole_lines(EVERY_KIND)
    place = data.draw(st.integers(0, len(lines) - 1))
    lines[place] = data.draw(mutate(lines[place]).filter(lambda line: b"\n" not in line))
    is_plain(rechain(lines))


def test_a_log_of_several_blocks_is_one_chain(
    sample: SampleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = sample.log.read_bytes()
    monkeypatch.setattr(plain, "BLOCK", 3)
    assert is_plain(content)
    lines = whole_lines(content)
    assert not is_plain(b"".join(line + b"\n" for line in lines[:3] + lines[4:]))


def test_a_log_that_is_not_plain_is_read_all_the_same() -> None:
    lines = [line.replace(b'"at":"2026', b'"at":"on 2026') for line in whole_lines(EVERY_KIND)]
    log = rechain(lines)
    assert not is_plain(log)
    assert lines_of(log, LOG, TRIAL_EVENTS)[0].at.startswith("on 2026")
