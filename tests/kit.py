"""A submission's folder in a few words, for whatever test needs one."""

from __future__ import annotations

import json
from pathlib import Path

BUILD = "def build(problem, hyperparameters): ...\n"
"""The least that a submission's file may hold: it is found and read, and trains nothing."""


def space(*frameworks: str, learning_rate: float = 0.1) -> str:
    """The least that a `space.toml` may hold; of torch, if no framework is named."""
    return f"""
summary = "for a test"
family = "test"
frameworks = {json.dumps(frameworks or ("torch",))}
[default]
learning_rate = {learning_rate!r}
"""


SPACE = space()


def write_submission(
    folder: Path, source: str = BUILD, declared: str = SPACE, module: str = "submission"
) -> Path:
    """Write a submission's two files into a folder, which need not exist; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(source)
    (folder / "space.toml").write_text(declared)
    return folder
