"""Where hostile submissions run: real trials on a small grid, each defence apart."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.seeds import PUBLIC_ROUND_SEED
from harness.execution import trial as execution
from harness.execution.base import RunOptions
from harness.execution.resolved import prepare_data
from harness.execution.trial import run_trial
from harness.frameworks.examples import Examples
from harness.machine import host_monitor as conditions
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Result, State, Trial
from harness.record.log import Event
from harness.record.schema import ToldEvent
from harness.record.store import last_attempt
from harness.sandboxes import libc
from harness.sandboxes.base import Confinement, Sandbox, WorkerProcess
from harness.sandboxes.kernel.confine import LAYERS
from harness.sandboxes.kernel.sandbox import KernelSandbox, layers
from harness.sandboxes.plain import PlainSandbox, PlainWorkerProcess
from tests.hostile.cases.scan_memory import EXAMPLE, Known
from tests.kit import SPACE
from workloads.spec import Grid, Target

CASES = Path(__file__).parent / "cases"
Settings = Mapping[str, Any]
"""What of a trial, or of its sandbox's bounds, is changed: `seconds`, `steps` and the like."""
SHARED = (
    "honest.py", "machine_code.py", "read_held_out_by_path.py", "send_code.py", "wires.py"
)  # fmt: skip
GRID = Grid(even=4, look_from=1.0, kept=2)
LOOKS = Grid(even=4, kept=1)
"""A look at each point, and no glance."""
GLANCES = Grid(even=4, look_from=1.0)
"""A glance at each point but the last."""


class Ear:
    """Hears events in the referee's process; may take its time over one kind, or act at it."""

    slow_kind, slow_s = "", 0.0

    def __init__(self) -> None:
        self.slow_from = list[float]()
        self.acts: dict[str, Callable[[], object]] = {}

    def event(self, event: ToldEvent) -> None:
        if event.kind in self.acts:
            self.acts[event.kind]()
        if event.kind == self.slow_kind:
            self.slow_from.append(time.time())
            time.sleep(self.slow_s)


class Box:
    """A sandbox whose bounds are changed for a test."""

    worker: WorkerProcess

    def __init__(self, inner: Sandbox, changes: Settings) -> None:
        self.inner, self.changes = inner, changes

    @property
    def image(self) -> str | None:
        return self.inner.image

    @property
    def plain_worker(self) -> PlainWorkerProcess:
        """The worker that was started last, which a signal reaches."""
        assert isinstance(self.worker, PlainWorkerProcess)
        return self.worker

    def start(self, confinement: Confinement) -> WorkerProcess:
        self.worker = self.inner.start(replace(confinement, **self.changes))
        return self.worker

    def list_unenforced_protections(self) -> tuple[str, ...]:
        return self.inner.list_unenforced_protections()


@dataclass(frozen=True)
class Outcome:
    """What came of a trial."""

    result: Result
    log: str
    events: list[Event]
    trial: Trial
    frozen: tuple[tuple[float, float], ...] = ()
    """Between which instants the referee took its time while the worker was frozen."""

    @property
    def says_so(self) -> bool:
        """Whether the submission found that it had succeeded."""
        return "SUCCEEDED" in self.log


HasWon = Callable[[Outcome], bool]


@dataclass(frozen=True)
class Case:
    """A hostile submission, what stops it, and how that is switched off.

    Args:
        name: of its file.
        kind: whether it cannot work, is caught, or is only forbidden.
        defence: the one thing that stops it.
        off: switches that off; with it the same submission succeeds.
        states: how its trial may end with the defence on.
        reason: what the reason then says.
        won: whether it has succeeded.
        settings: of the trial.
        prepare: what both runs need.
        needs: layers without which there is no such defence.
        capability: the control shows something only where this process has it.
        proof: the control, where it is not a trial with the defence off.
    """

    name: str
    kind: str
    defence: str
    off: Callable[[Arena], None] = lambda arena: None
    states: tuple[State, ...] = ("budget",)
    reason: str = ""
    won: HasWon = lambda outcome: outcome.says_so
    settings: Settings = field(default_factory=dict)
    prepare: Callable[[Arena], None] = lambda arena: None
    needs: tuple[str, ...] = ()
    capability: int | None = None
    proof: Callable[[Arena], bool] | None = None
    slow: bool = False


def _few_held_out(
    open_examples: Callable[[Path, float], Examples], folder: Path, limit_gib: float
) -> Examples:
    result = open_examples(folder, limit_gib)
    if folder.name == "train":
        return result
    return Examples(result.inputs[:256], result.targets[:256], result.is_mapped)


def _target(target: Target, settings: Settings) -> Target:
    if (loss := settings.get("loss")) is not None:
        return Target(metric="loss", direction="minimize", value=loss)
    return target.model_copy(update={"value": settings.get("target", 0.99)})


class Arena:
    """Runs cases in one store."""

    def __init__(self, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.store, self.patch = folder, folder / "store", monkeypatch
        self.options = RunOptions(cache_dir=cache, threads=1, sandbox="kernel")
        self.layers: set[str] | None = set(LAYERS)
        self.bounds: dict[str, Any] = {}
        self.ear = Ear()
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self.elsewhere.chmod(0o777)
        self.port = 0
        self.open = ExitStack()
        self.round_seed = PUBLIC_ROUND_SEED
        monkeypatch.setattr(execution, "sandbox", lambda name: self.box())
        # neither the machine's speed nor exact metrics matter here; both take long
        monkeypatch.setattr(conditions, "speed_probe_s", lambda *_: 0.02)
        monkeypatch.setattr(Examples, "open", partial(_few_held_out, Examples.open))

    def need(self, *names: str) -> None:
        """Skip a test where one of these layers does not work, and say why it does not."""
        missing = [layer for layer in layers() if layer.name in names and not layer.is_active]
        if missing:
            whys = (f"the layer {layer.name} does not work here: {layer.why}" for layer in missing)
            pytest.skip("; ".join(whys))

    def box(self) -> Box:
        """The sandbox of the next trial; kept as `last`."""
        libc.set_dumpable(True)
        inner = PlainSandbox() if self.layers is None else KernelSandbox(self.layers)
        self.last = Box(inner, self.bounds)
        return self.last

    def plain(self) -> None:
        """Switch every layer off."""
        self.layers = None

    def without(self, *names: str) -> None:
        """Switch layers off."""
        self.layers = set(LAYERS) - set(names)

    def listen(self) -> socket.socket:
        """A server on this machine."""
        server = socket.create_server(("127.0.0.1", 0))
        self.port = server.getsockname()[1]
        return server

    def trial(self, name: str, **settings: object) -> Trial:
        place = self.folder / "submission"
        place.mkdir(exist_ok=True)
        for file in SHARED:
            shutil.copy(CASES / file, place / file)
        shutil.copy(CASES / f"{name}.py", place / "submission.py")
        (place / "space.toml").write_text(SPACE)
        seeds, data = self.instance(self.round_seed)
        facts = {
            "REFEREE": os.getpid(),
            "PORT": self.port,
            "TRAIN": str(data / "train"),
            "ELSEWHERE": str(self.elsewhere),
            "SLEEP_S": self.marker,
            "KNOWN": what_is_known(seeds, data),
        }
        lines = [f"{key} = {value!r}\n" for key, value in facts.items()]
        (place / "facts.py").write_text("".join(lines))
        request = PlanRequest("mlp", str(place), ruleset="self", round_seed=self.round_seed)
        (own_trial,) = plan(request).trials
        return self._small(own_trial, settings)

    def instance(self, round_seed: str) -> tuple[Trial, Path]:
        """Any trial of a round, and the folder of its instance's splits."""
        request = PlanRequest("mlp", "adamw", ruleset="self", round_seed=round_seed)
        trial = plan(request).trials[0]
        return trial, prepare_data(trial, self.options)

    @property
    def marker(self) -> str:
        """Seconds of sleep that no other process asks for."""
        return f"7{os.getpid()}.25"

    def _small(self, trial: Trial, settings: Settings) -> Trial:
        runtime_s, steps = settings.get("seconds", 60.0), settings.get("steps", 8)
        scaled = {"runtime_s": runtime_s, "steps": steps, "scale": 0.5}
        target = trial.target
        assert isinstance(target, Target)
        limits = {k: settings[k] for k in ("memory_gib", "warmup_s") if k in settings}
        return trial.model_copy(
            update={
                "budget": trial.budget.model_copy(update=scaled),
                "target": _target(target, settings),
                "limits": trial.limits.model_copy(update=limits),
                "grid": settings.get("grid", GRID),
                "probes": False,
                "trial": settings.get("trial", 1),
            }
        )

    def run(self, name: str, **settings: object) -> Outcome:
        """Run a case's trial."""
        return self.run_planned(self.trial(name, **settings))

    def run_planned(self, trial: Trial) -> Outcome:
        result = run_trial(trial, self.store, self.options, self.ear)
        folder = self.store / trial.folder
        log = (folder / "worker.log").read_bytes().decode(errors="replace")
        attempt = last_attempt(folder)
        events = list(attempt.events) if attempt else []
        frozen = tuple((start_s, start_s + self.ear.slow_s) for start_s in self.ear.slow_from)
        return Outcome(result, log, events, trial, frozen)


def what_is_known(trial: Trial, data: Path) -> Known:
    """By what a submission would know an instance's seed and a held-out example."""
    inputs = np.load(data / "validation" / "inputs.npy", mmap_mode="r")
    example = np.ascontiguousarray(inputs[0]).tobytes()[:EXAMPLE]
    word = int(np.frombuffer(example[:4], np.uint32)[0])
    seed = sha256(trial.instance_seed.encode()).hexdigest()
    return seed, word, sha256(example).hexdigest()
