"""What `gpu.py` does, piece by piece, in the order that finds most soonest.

A piece is at most nine minutes long. One that is longer in all, as a calibration is, is made of
commands that go on where they were when they are called again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Command = tuple[str, ...]
HERE = Path(__file__).parent
HARNESS: Command = (sys.executable, "-m", "harness")
BOARD = ("adamw", "nadamw", "nesterov", "muon", "soap", "shampoo", "psgd", "schedule_free_adamw")
"""The submissions of the first board."""
TRAINED = ("resnet", "lm", "rnn")
"""The workloads of a GPU; `mlp` is a processor's."""
GPU_TESTS = ("frameworks", "machine", "sandboxes", "workloads")


@dataclass(frozen=True)
class Setting:
    """Where the pieces run, and how large they are."""

    out: Path
    """The folder of summaries and records."""
    data_dir: Path | None
    device: str = "cuda"
    suite: str = "standard"
    is_small: bool = False
    """Whether everything is cut down to seconds, to be shown on a processor."""

    @property
    def data(self) -> Command:
        """The flag that says where downloaded data lie."""
        return () if self.data_dir is None else ("--data-dir", str(self.data_dir))

    @property
    def scale(self) -> str:
        """The factor on the budgets of runs that only show that something runs."""
        return "0.02" if self.is_small else "0.2"


@dataclass(frozen=True)
class Piece:
    """Some commands, one after the other; the first that fails ends the piece."""

    name: str
    expected_s: float
    """Without so much time left it is not begun."""
    commands: tuple[Command, ...]
    goes_on: bool = False
    """Whether it continues when it is called again, after it was interrupted."""


def pieces(setting: Setting, known: tuple[str, ...]) -> tuple[Piece, ...]:
    """All pieces, in order.

    Args:
        setting: where and how large.
        known: the names of the submissions that there are.
    """
    board = BOARD[: 1 if setting.is_small else None]
    workloads = ("mlp",) if setting.is_small else TRAINED
    return (
        *_first(setting),
        *_measured(setting, known),
        *(_calibration(setting, name) for name in workloads),
        *(_entry(setting, workloads, name) for name in board),
        Piece("board", 60, _scored(setting)),
    )


def _first(setting: Setting) -> Iterator[Piece]:
    """The first ten minutes: whether anything runs, and what is wrong with the machine."""
    device = ("--device", setting.device)
    yield Piece("doctor", 10, ((*HARNESS, "doctor", "--suite", setting.suite, *device),))
    for room in GPU_TESTS:
        yield Piece(f"tests-{room}", 120, (_tests(setting, room),))
    shown = ("--steps", "2", "--rounds", "1", "--workloads", "mlp") if setting.is_small else ()
    yield Piece("parity", 240, (_script("parity.py", "--suite", setting.suite, *device, *shown),))
    for framework, sandbox in (("torch", "plain"), ("jax", "plain"), ("torch", "kernel")):
        store = str(setting.out / f"first-{framework}-{sandbox}")
        run = _run(setting, "quick", "mlp", "muon" if framework == "torch" else "adamw", store)
        flags = ("--framework", framework, "--sandbox", sandbox, "--trials", "1")
        scaled = (*run, *flags, "--budget-scale", setting.scale)
        checked = (*HARNESS, "verify", store)
        yield Piece(f"first-{framework}-{sandbox}", 120, (scaled, checked))
    for workload in () if setting.is_small else ("resnet", "lm", "rnn"):
        store = str(setting.out / f"first-{workload}")
        run = _run(setting, setting.suite, workload, "adamw", store)
        yield Piece(f"first-{workload}", 240, ((*run, "--trials", "1", "--budget-scale", "0.2"),))


def _measured(setting: Setting, known: tuple[str, ...]) -> Iterator[Piece]:
    """What the harness costs, how fast the models are, and what a step of each method costs."""
    device, small = ("--device", setting.device), setting.is_small
    sized = ("--suite", setting.suite, *device)
    rounds = ("--rounds", "2", "--budget-scale", "0.01" if small else "0.3")
    workload = "mlp" if small else "resnet"
    overhead = _script("overhead.py", "--workload", workload, *sized, *rounds, *setting.data)
    yield Piece("overhead", 300, (overhead,))
    model = _script("models.py", "--workload", "lm", *sized, "--rounds", "1" if small else "20")
    yield Piece("utilisation", 180, (model,))
    names = ("adamw", "muon") if small else known
    kinds = ("mlp",) if small else ("mlp", "transformer")
    shortened = ("--rounds", "2", "--warm-up", "1") if small else ("--rounds", "10")
    for shapes in kinds:
        for number, part in enumerate(_parts(names, 10), start=1):
            steps = _script(
                "optimizers.py", "--shapes", shapes, "--names", *part, *device, *shortened
            )
            yield Piece(f"steps-{shapes}-{number}", 240, (steps,))


def _calibration(setting: Setting, workload: str) -> Piece:
    """AdamW's target and budget, with an effort that fits the hour; called again, it goes on."""
    store = str(setting.out / f"calibration-{workload}")
    flags = ("--points", "6", "--seeds", "3", "--studies", "1", "--baselines", "adamw")
    steps = ("--horizon-steps", "20", "--points", "2", "--seeds", "2") if setting.is_small else ()
    command = (
        *HARNESS, "calibrate", "--workload", workload, "--suite", setting.suite,
        "--device", setting.device, "--out", store, *setting.data, *flags, *steps,
    )  # fmt: skip
    return Piece(f"calibration-{workload}", 120, (command,), goes_on=True)


def _entry(setting: Setting, workloads: tuple[str, ...], submission: str) -> Piece:
    """One study of one submission on every workload of the board."""
    flags = ("--studies", "1", "--trials", "1")
    scale = ("--budget-scale", setting.scale) if setting.is_small else ()
    store = str(setting.out / "board")
    runs = (_run(setting, setting.suite, name, submission, store) for name in workloads)
    commands = tuple((*run, *flags, *scale) for run in runs)
    return Piece(f"board-{submission}", 120, commands, goes_on=True)


def _scored(setting: Setting) -> tuple[Command, ...]:
    store = str(setting.out / "board")
    # in small its budgets are cut down, which scoring would refuse
    allowed = ("--allow", "unscored-trials") if setting.is_small else ()
    return (*HARNESS, "score", store, *allowed), (*HARNESS, "report", store, *allowed)


def _run(setting: Setting, suite: str, workload: str, submission: str, store: str) -> Command:
    return (
        *HARNESS, "run", "--suite", suite, "--workload", workload, "--submission", submission,
        "--device", setting.device, "--out", store, *setting.data,
    )  # fmt: skip


def _script(name: str, *arguments: str) -> Command:
    return (sys.executable, str(HERE / name), *arguments)


def _tests(setting: Setting, room: str) -> Command:
    folder = str(HERE.parent / "tests" / room)
    only = ("--collect-only",) if setting.is_small else ()
    return (sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", *only, folder)


def _parts(names: tuple[str, ...], size: int) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]
