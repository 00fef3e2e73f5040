"""The imports of a submission's code, read from its text without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from harness.core.content import UNREADABLE
from harness.core.errors import HarnessError
from harness.core.imports import imports_of
from harness.submission.files import Contents


def imported_tops(contents: Contents) -> set[str]:
    """The top-level names of all absolute imports in a submission's Python files."""
    tops: set[str] = set()
    for node in _imports(contents):
        if isinstance(node, ast.Import):
            tops |= {alias.name.partition(".")[0] for alias in node.names}
        elif node.level == 0 and node.module:
            tops.add(node.module.partition(".")[0])
    return tops


def imported_names(contents: Contents) -> set[str]:
    """The dotted names of all absolute imports: modules, and names imported from them."""
    names: set[str] = set()
    for node in _imports(contents):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif node.level == 0 and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def check_syntax(file: Path, content: bytes) -> None:
    """Check that a file parses as Python.

    Raises:
        HarnessError: it cannot.
    """
    try:
        ast.parse(content)
    except SyntaxError as error:
        raise HarnessError(
            f"{file}, line {error.lineno}: {error.msg}", "Python cannot parse this file; fix it"
        ) from error
    except UNREADABLE as error:
        raise HarnessError(f"{file} is not a Python file: {error}", "give one that is") from error


def refuse_siblings(contents: Contents, file: str) -> None:
    """Check that a single-file submission imports nothing from its folder.

    Raises:
        HarnessError: it does; the message names the sibling.
    """
    for node in _imports(contents):
        if isinstance(node, ast.ImportFrom) and node.level > 0:
            sibling = node.module or ", ".join(alias.name for alias in node.names)
            raise HarnessError(
                f"{file} imports '{sibling}' from beside it, but a submission of a single file is "
                "that file and its space.toml alone",
                "give the folder instead: with submission.py, space.toml and what it imports",
            )


def _imports(contents: Contents) -> Iterator[ast.Import | ast.ImportFrom]:
    for name, content in contents.items():
        if PurePosixPath(name).suffix == ".py":
            yield from imports_of(content)
