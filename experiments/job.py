"""One run of an experiment: its form, and the folder of its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.spec import Experiment, Form


@dataclass(frozen=True)
class Job:
    """An experiment in one of its forms.

    Args:
        name: the experiment's name.
        experiment: the parsed `experiments/NAME.toml`.
        form: the full or the quick form.
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
