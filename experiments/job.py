"""One run of an experiment: which form of it, and where its results go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.spec import Experiment, Form


@dataclass(frozen=True)
class Job:
    """What is run.

    Args:
        name: the experiment's.
        experiment: the parsed `experiments/NAME.toml`.
        form: the full or the quick one.
        folder: gets figure, tables and findings.
    """

    name: str
    experiment: Experiment
    form: Form
    folder: Path

    @property
    def store(self) -> Path:
        """The folder of the records."""
        return self.folder / "records"
