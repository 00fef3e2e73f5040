"""The pattern for names of submissions, of their families and of their hyperparameters."""

from __future__ import annotations

import re

from harness.core.errors import HarnessError
from harness.core.text import displayable

LONGEST_NAME = 64
NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.+-]{{0,{LONGEST_NAME - 1}}}")
SHOWN_LENGTH = 80
"""How many characters of an invalid name an error repeats."""


def check_name(kind: str, name: str) -> str:
    """The name, if it is valid.

    Raises:
        HarnessError: it contains other characters, or is too long.
    """
    if NAME.fullmatch(name):
        return name
    excerpt = displayable(name[:SHOWN_LENGTH]) + ("..." if len(name) > SHOWN_LENGTH else "")
    raise HarnessError(
        f"{kind} '{excerpt}' has a character that names may not have, or more than {LONGEST_NAME}",
        f"allowed: letters a to z and A to Z, digits, '_', and after the first also '.', '+' and "
        f"'-'; at most {LONGEST_NAME} characters; rename it",
    )
