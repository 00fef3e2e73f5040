"""How the harness starts Python programs of its own: with its own code and nobody else's.

`python -m` looks first into the folder in which it was called. A folder `torch` there, a submission
perhaps, or a `selectors.py`, would run with the caller's rights before anything is confined.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDER = "/"
"""Where they start: nothing there is a user's."""
_ROOT = Path(__file__).parents[2]
_START = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
"""The harness's own folder comes last: in a checkout it may be on no path but the caller's."""


def command(module: str, *arguments: str) -> list[str]:
    """The command that starts a module of the harness, to be called in `FOLDER`."""
    return command_in(sys.executable, _ROOT, module, *arguments)


def command_in(interpreter: str, root: Path, module: str, *arguments: str) -> list[str]:
    """The same for another interpreter, such as a container's, that finds the harness in `root`."""
    return [interpreter, "-P", "-c", _START, str(root), module, *arguments]


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Variables for it: what PYTHONPATH names is meant from here, and an empty entry is not."""
    if "PYTHONPATH" not in variables:
        return variables
    folders = filter(None, variables["PYTHONPATH"].split(os.pathsep))
    return variables | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, folders))}
