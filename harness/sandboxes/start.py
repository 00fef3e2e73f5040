"""Starts the harness's own Python programs so that they import only its own code.

`python -m` puts the current folder first on the import path. A folder `torch` there (perhaps a
submission) or a `selectors.py` would then run, unconfined and with the caller's privileges.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDER = "/"
"""Their working directory, which has no files of users."""
_ROOT = Path(__file__).parents[2]
_START = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
"""Adds the harness's own folder last, as a checkout may only be on the caller's import path."""


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of the harness; its working directory must be `FOLDER`."""
    return command_in(sys.executable, _ROOT, module, *arguments)


def command_in(interpreter: str, root: Path, module: str, *arguments: str) -> list[str]:
    """The same for another interpreter, such as a container's, with the harness in `root`."""
    return [interpreter, "-P", "-c", _START, str(root), module, *arguments]


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Its environment: relative entries of PYTHONPATH are made absolute, and empty ones dropped."""
    if "PYTHONPATH" not in variables:
        return variables
    folders = filter(None, variables["PYTHONPATH"].split(os.pathsep))
    return variables | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, folders))}
