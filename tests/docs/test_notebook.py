"""The notebook of the Python interface, run as it stands: its values are the command's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "python.ipynb"
TIMEOUT_S = 900
UNMEASURED = "import harness.runs.run\nharness.runs.run.machine_speed = lambda *_: None"
"""Before the first cell: budgets are the reference machine's. To measure this one's, which has
tests of its own, takes a minute beside other tests.
"""


def test_its_verdict_is_that_of_the_command(
    tmp_path: Path, data_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("XDG_CACHE_HOME", str(data_cache))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(UNMEASURED, id="unmeasured"))
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=TIMEOUT_S, resources=place).execute()
    command = [sys.executable, "-m", "harness", "compare", "muon", "adamw", "--json"]
    process = subprocess.run(
        [*command, "--out", "runs/notebook"],
        cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    document = json.loads(process.stdout)
    assert printed_lines(notebook, "compare") == [f"{document['factor']:.3f}", document["verdict"]]


def printed_lines(notebook: object, cell_id: str) -> list[str]:
    """The lines that a cell has printed."""
    (cell,) = [cell for cell in notebook.cells if cell["id"] == cell_id]  # type: ignore[attr-defined]
    return [line for output in cell["outputs"] for line in output["text"].splitlines()]
