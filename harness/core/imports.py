"""What Python code imports, read from its text; nothing of it runs."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

from harness.core.content import UNREADABLE, refuse_long_names


@cache
def imports_of(content: bytes) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """The imports of one file; none if it does not parse, as it cannot run then."""
    try:
        refuse_long_names(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
        nodes = tuple(n for n in _statements(tree) if isinstance(n, ast.Import | ast.ImportFrom))
    except UNREADABLE:
        return ()
    return nodes


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """All statements and the parts that hold some; expressions, most of a tree, are passed over."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, block, ())


def reachable_files(
    root: Path, start: Iterable[Path], known_files: Collection[Path] = frozenset()
) -> set[Path]:
    """Files of a package and everything that they import from it, directly or indirectly.

    Imports inside functions count. Modules that are imported by a name computed at run time are not
    found: pass them in `start`. The package's own `__init__.py`, its public interface, is left out.

    Args:
        root: the package's folder, whose name is the package's.
        start: Python files, inside or outside the package.
        known_files: results of earlier calls, which are neither followed nor returned.
    """
    files = set[Path]()
    waiting = list(start)
    while waiting:
        if (file := waiting.pop()) not in files and file not in known_files:
            files.add(file)
            waiting += _modules_of(root, file)
    return files


def _modules_of(root: Path, file: Path) -> Iterator[Path]:
    """The `__init__.py` files that importing a file of a package runs first."""
    package: tuple[str, ...] = ()
    if file.is_relative_to(root):
        package = (root.name, *file.parent.relative_to(root).parts)
        yield from files_run_by_import(root, package[1:])
    for node in imports_of(file.read_bytes()):
        for name in _dotted_names(node, package):
            if name[0] == root.name:
                yield from files_run_by_import(root, name[1:])


def _dotted_names(
    node: ast.Import | ast.ImportFrom, package: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """The modules that an import statement of a package's module names, and the names it takes."""
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
        return
    above = package[: len(package) + 1 - node.level] if node.level else ()
    module = (*above, *(node.module.split(".") if node.module else ()))
    yield from ((*module, alias.name) for alias in node.names)


def files_run_by_import(folder: Path, parts: Iterable[str]) -> Iterator[Path]:
    """The files that importing a dotted name from a folder runs, as far as its parts are modules.

    Args:
        folder: where the first part is looked for.
        parts: of the name.
    """
    for part in parts:
        init, module = folder / part / "__init__.py", folder / f"{part}.py"
        if init.is_file():
            yield init
        elif module.is_file():
            yield module
            return
        folder /= part
