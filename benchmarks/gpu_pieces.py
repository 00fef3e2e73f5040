"""The pieces of `gpu.py`, most informative first, for one hour in total."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gpu_times import TESTS_S, budget_s, calibration_s, horizon_s, run_s

from harness.providers import registry

Command = tuple[str, ...]
HERE = Path(__file__).parent
HARNESS: Command = (sys.executable, "-m", "harness")
BOARD = ("adamw", "nadamw", "nesterov", "muon", "soap", "shampoo", "psgd", "schedule_free_adamw")
"""The submissions of the first board, each of which has rivals in other packages."""
BOARD_WORKLOAD = "resnet"
"""The only workload of that board: eight entries on every workload would take hours."""
POINTS, SEEDS = 2, 2
"""A calibration's effort within the hour; one that sets a target uses the command's defaults."""
FIRST, SHORT = 0.2, 0.05
"""Fractions of a budget: enough to show that `quick` runs, and that `standard` does."""
LEAST_S = 90.0
"""The minimum remaining time for another call of a piece that can continue."""
SMALL_S = 60.0
"""The maximum duration of a piece in its small version."""


def list_gpu_workloads(suite: str) -> tuple[str, ...]:
    """A suite's workloads that are meant for a GPU."""
    names = registry.suite(suite).workloads
    return tuple(name for name in names if registry.hardware_of(suite, name).device == "cuda")


@dataclass(frozen=True)
class Setting:
    """Where the pieces run, and how large they are."""

    out: Path
    """The folder of summaries and records."""
    data_dir: Path | None
    device: str = "cuda"
    suite: str = "standard"
    is_small: bool = False
    """Whether everything is reduced to seconds, to be tried on a CPU."""

    @property
    def data(self) -> Command:
        """The flag for the folder of downloaded data."""
        return () if self.data_dir is None else ("--data-dir", str(self.data_dir))


@dataclass(frozen=True)
class Piece:
    """Some commands, run one after another; the first that fails ends the piece."""

    name: str
    expected_s: float
    """The expected duration of all calls together."""
    commands: tuple[Command, ...]
    can_continue: bool = False
    """Whether it continues when it is called again after an interruption."""

    @property
    def least_s(self) -> float:
        """The minimum remaining time to start it."""
        return min(self.expected_s, LEAST_S) if self.can_continue else self.expected_s


def pieces(setting: Setting) -> tuple[Piece, ...]:
    """All pieces, in order."""
    small = setting.is_small
    workloads = ("mlp",) if small else list_gpu_workloads(setting.suite)
    every = (
        *_first(setting, workloads),
        *_measurements(setting),
        *(_calibration(setting, name) for name in workloads),
        *(_entry(setting, name) for name in BOARD[: 1 if small else None]),
        Piece("board", 20, _score_commands(setting)),
    )
    if not small:
        return every
    return tuple(replace(piece, expected_s=min(piece.expected_s, SMALL_S)) for piece in every)


def _first(setting: Setting, workloads: tuple[str, ...]) -> Iterator[Piece]:
    """The first ten minutes: whether anything runs, and what is wrong with the machine."""
    device, suite = ("--device", setting.device), setting.suite
    yield Piece("doctor", 10, ((*HARNESS, "doctor", "--suite", suite, *device),))
    for room, seconds in TESTS_S.items():
        yield Piece(f"tests-{room}", seconds, (_tests(setting, room),))
    size_flags = ("--suite", suite, *device, "--workloads", *workloads, "--rounds", "1")
    steps = ("--steps", "2") if setting.is_small else ()
    yield Piece("parity", 110, (_script("parity.py", *size_flags, *steps),))
    scale = str(0.1 * FIRST if setting.is_small else FIRST)
    for framework, sandbox in (("torch", "plain"), ("jax", "plain"), ("torch", "kernel")):
        store = str(setting.out / f"first-{framework}-{sandbox}")
        run = _run(setting, "quick", "mlp", "muon" if framework == "torch" else "adamw", store)
        flags = ("--framework", framework, "--sandbox", sandbox, "--budget-scale", scale)
        verify = (*HARNESS, "verify", store)
        yield Piece(f"first-{framework}-{sandbox}", 35, ((*run, *flags), verify))
    for workload in (name for name in workloads if registry.workload(name).at(suite).compile):
        run = _run(setting, suite, workload, "adamw", str(setting.out / f"first-{workload}"))
        whole_s = run_s(workload, SHORT * budget_s(suite, workload))
        yield Piece(f"first-{workload}", whole_s, ((*run, "--budget-scale", str(SHORT)),))


def _measurements(setting: Setting) -> Iterator[Piece]:
    """What the harness costs, how fast the models are, and the cost of a step of each method."""
    device, small = ("--device", setting.device), setting.is_small
    size_flags = ("--suite", setting.suite, *device)
    rounds = ("--rounds", "2", "--budget-scale", "0.01" if small else str(SHORT))
    workload = "mlp" if small else "resnet"
    overhead = _script("overhead.py", "--workload", workload, *size_flags, *rounds, *setting.data)
    yield Piece("overhead", 105, (overhead,))
    model = _script(
        "models.py", "--workload", "lm", *size_flags, "--rounds", "1" if small else "20"
    )
    yield Piece("utilisation", 60, (model,))
    names = ("adamw", "muon") if small else BOARD
    shapes = ("--shapes", "mlp" if small else "transformer", "--names", *names)
    short_flags = ("--rounds", "2", "--warm-up", "1") if small else ("--rounds", "10")
    yield Piece("steps", 60, (_script("optimizers.py", *shapes, *device, *short_flags),))


def _calibration(setting: Setting, workload: str) -> Piece:
    """AdamW's target and budget, with an effort that fits the hour."""
    store = str(setting.out / f"calibration-{workload}")
    effort = ("--points", str(POINTS), "--seeds", str(SEEDS), "--studies", "0")
    steps = ("--horizon-steps", "20") if setting.is_small else ()
    command = (
        *HARNESS, "calibrate", "--workload", workload, "--suite", setting.suite,
        "--device", setting.device, "--out", store, *setting.data,
        *effort, "--baselines", "adamw", *steps,
    )  # fmt: skip
    seconds = calibration_s(setting.suite, workload, POINTS, SEEDS)
    return Piece(f"calibration-{workload}", seconds, (command,), can_continue=True)


def _entry(setting: Setting, submission: str) -> Piece:
    """One trial of one submission on the board's workload."""
    workload = "mlp" if setting.is_small else BOARD_WORKLOAD
    run = _run(setting, setting.suite, workload, submission, str(setting.out / "board"))
    scale = ("--budget-scale", "0.02") if setting.is_small else ()
    seconds = run_s(workload, horizon_s(setting.suite, workload))
    return Piece(f"board-{submission}", seconds, ((*run, *scale),), can_continue=True)


def _score_commands(setting: Setting) -> tuple[Command, ...]:
    store = str(setting.out / "board")
    # in small its budgets are cut down, which scoring would refuse
    flags = ("--allow", "unscored-trials") if setting.is_small else ()
    return (*HARNESS, "score", store, *flags), (*HARNESS, "report", store, *flags)


def _run(setting: Setting, suite: str, workload: str, submission: str, store: str) -> Command:
    return (
        *HARNESS, "run", "--suite", suite, "--workload", workload, "--submission", submission,
        "--studies", "1", "--trials", "1",
        "--device", setting.device, "--out", store, *setting.data,
    )  # fmt: skip


def _script(name: str, *arguments: str) -> Command:
    return (sys.executable, str(HERE / name), *arguments)


def _tests(setting: Setting, room: str) -> Command:
    folder = str(HERE.parent / "tests" / room)
    only = ("--collect-only",) if setting.is_small else ("--durations", "10")
    return (sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", *only, folder)
