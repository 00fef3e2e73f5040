"""`harness watch`: what it says of a store, and that a key ends it."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from harness.core.console import PlainConsole
from harness.core.errors import HarnessError
from harness.display.overview import StoreReader
from harness.display.watch import spark, store_view
from harness.record.log import EventLog
from harness.record.plan import write_plan
from harness.record.store import EVENTS_FILE
from tests.record.conftest import Curve, SampleStore, beginning

EVENTS = 8
"""Of a trial that trains still: its start, snapshots, and the first evaluation among them."""


def begin_another(sample: SampleStore) -> None:
    """Plan the store's trial once more as study 2, and write its first events."""
    trial = sample.trial.model_copy(update={"study": 2})
    write_plan([trial], sample.store)
    with closing(EventLog(sample.store / trial.folder / EVENTS_FILE)) as log:
        log.append(beginning(trial, 1))
        for event, by in Curve(trial).events[:EVENTS]:
            log.append(event, by)


def show(store: Path) -> str:
    console = PlainConsole(width=80, record=True, file=io.StringIO())
    console.print(store_view("store", StoreReader(store).read()))
    return console.export_text()


@pytest.fixture
def sample(tmp_path: Path) -> SampleStore:
    return SampleStore(tmp_path)


def test_it_shows_the_trial_that_trains_and_those_that_have_ended(sample: SampleStore) -> None:
    begin_another(sample)
    text = show(sample.store)
    assert "1 of 2 trials ended in store" in text
    assert "adamw on mlp, study 2 trial 1: " in text
    assert re.search(r"step \d+, \d+\.\d s left", text)
    assert re.search(r"mlp +adamw \(torch\) +1 of 2 +1 ", text)
    assert max(map(len, text.splitlines())) <= 80


def test_an_ended_trial_is_read_once(sample: SampleStore) -> None:
    reader = StoreReader(sample.store)
    (first,), (again,) = reader.read(), reader.read()
    assert first.trials[0] is again.trials[0]


def test_the_latest_values_are_drawn_between_their_extremes() -> None:
    assert spark([0.0, 1.0, 0.5]) == "▁█▅"
    assert spark([float("nan")]) == ""


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no trials in"):
        StoreReader(tmp_path).read()


@pytest.mark.system
def test_q_ends_it_in_a_terminal(sample: SampleStore) -> None:
    begin_another(sample)
    terminal, its_end = pty.openpty()
    environment = os.environ | {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "watch", str(sample.store)],
        stdin=its_end, stdout=its_end, stderr=its_end, env=environment,
    )  # fmt: skip
    output, until_s = b"", time.monotonic() + 60
    while b"trials ended" not in output and time.monotonic() < until_s:
        if select.select([terminal], [], [], 1.0)[0]:
            output += os.read(terminal, 4096)
    os.write(terminal, b"q")
    assert process.wait(30) == 0
    assert "1 of 2 trials ended" in output.decode()
