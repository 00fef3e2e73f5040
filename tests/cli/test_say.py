"""Lines that a command prints."""

import shlex
from pathlib import Path

from harness.cli.say import quote


def test_a_next_command_is_one_that_a_shell_takes() -> None:
    store = Path("runs/my store (ü)")
    assert shlex.split(quote("harness", "score", store)) == ["harness", "score", str(store)]
