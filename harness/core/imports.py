"""What Python code imports, read from its text; nothing of it runs."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from harness.core.content import UNREADABLE, refuse_long_names


@cache
def imports_of(content: bytes) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """The imports of one file; none of a file that does not parse, which cannot run either."""
    try:
        refuse_long_names(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
        nodes = tuple(n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom))
    except UNREADABLE:
        return ()
    return nodes


def reachable_files(root: Path, start: Iterable[Path]) -> set[Path]:
    """Files of a package, all that they import of it, and what that imports, and so on.

    An import inside of a function counts. What is imported by a name that is made up at run time
    is not seen: give it among the first. The package's own `__init__.py` is left out, which offers
    outsiders what is in it.

    Args:
        root: the package's folder, which is named as it is imported.
        start: Python files, of the package or of elsewhere.
    """
    files = set[Path]()
    waiting = list(start)
    while waiting:
        if (file := waiting.pop()) not in files:
            files.add(file)
            waiting += _modules_of(root, file)
    return files


def _modules_of(root: Path, file: Path) -> Iterator[Path]:
    """The files of a package that importing one of them runs first."""
    package: tuple[str, ...] = ()
    if file.is_relative_to(root):
        package = (root.name, *file.parent.relative_to(root).parts)
        yield from _on_the_way(root, package[1:])
    for node in imports_of(file.read_bytes()):
        for name in _dotted_names(node, package):
            if name[0] == root.name:
                yield from _on_the_way(root, name[1:])


def _dotted_names(
    node: ast.Import | ast.ImportFrom, package: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """What an import in a package's module names, as modules and as what is taken from them."""
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
        return
    above = package[: len(package) + 1 - node.level] if node.level else ()
    module = (*above, *(node.module.split(".") if node.module else ()))
    yield from ((*module, alias.name) for alias in node.names)


def _on_the_way(root: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """The files that importing a dotted name runs, as far as its parts are modules."""
    folder = root
    for name in names:
        if (folder / f"{name}.py").is_file():
            yield folder / f"{name}.py"
            return
        folder /= name
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
