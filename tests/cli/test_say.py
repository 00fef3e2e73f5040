"""Lines that a command prints."""

import shlex

from harness.cli.say import next_command


def test_a_next_command_is_one_that_a_shell_takes() -> None:
    words = ["harness", "score", "runs/my store (ü)"]
    assert shlex.split(next_command(*words).removeprefix("Next: ")) == words
