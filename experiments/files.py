"""Experiments by name: those in this folder, or any file."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.projection_spec import ProjectionExperiment
from experiments.spec import Experiment
from harness.core.errors import HarnessError, UnknownNameError
from workloads.toml import read_toml

ROOT = Path(__file__).parent


def experiment_names() -> tuple[str, ...]:
    """The names of the shipped experiments, in alphabetical order."""
    return tuple(sorted(file.stem for file in ROOT.glob("*.toml")))


def experiment_name(text: str) -> str:
    """The name of an experiment that is given by name or as a file."""
    return Path(text).stem if text.endswith(".toml") else text


def read_experiment(text: str) -> Experiment | ProjectionExperiment:
    """Read the experiment of a name, or of a file `SOME.toml`.

    Raises:
        UnknownNameError: no experiment has that name; the message suggests the most similar one.
        HarnessError: the file is missing or malformed; the message names key and value.
    """
    if text.endswith(".toml"):
        return _read(Path(text))
    if text not in experiment_names():
        hint = "or give the file of one: harness experiment FILE.toml"
        raise UnknownNameError("experiment", text, experiment_names(), hint)
    return _read(ROOT / f"{text}.toml")


def shipped_experiments() -> dict[str, Experiment | ProjectionExperiment]:
    """All shipped experiments, by name."""
    return {name: read_experiment(name) for name in experiment_names()}


def _read(path: Path) -> Experiment | ProjectionExperiment:
    values = dict[str, Any]()
    with suppress(OSError, UnicodeDecodeError, ValueError, RecursionError):  # said by what follows
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    if values.get("kind") == "projection":
        return read_toml(path, ProjectionExperiment)
    return read_toml(path, Experiment)


def check_is_no_file(path: Path) -> None:
    """Refuse an output folder that is a file.

    Raises:
        HarnessError: it is one.
    """
    if path.exists() and not path.is_dir():
        raise HarnessError(f"--out {path} is a file", "name a folder")
