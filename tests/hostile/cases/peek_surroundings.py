"""Looks for the workload's name in environment, arguments, folder and parents."""

import os
import sys
from pathlib import Path

from .honest import Honest, succeed


def look(environment):
    """Where the name is found."""
    texts = {"environment": repr(sorted(environment.items())), "arguments": repr(sys.argv)}
    texts["folder"] = str(Path.cwd())
    for number in (os.getpid(), os.getppid()):
        for name in ("environ", "cmdline"):
            file = Path(f"/proc/{number}/{name}")
            texts[f"{name} of {number}"] = file.read_text() if file.exists() else ""
    return [where for where, text in texts.items() if "workload=mlp" in text]


class Submission(Honest):
    def act(self):
        if found := look(dict(os.environ)):
            succeed(f"the name stands in {', '.join(found)}")
