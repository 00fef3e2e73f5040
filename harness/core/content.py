"""Content hashes of files: of Python code and TOML values, without comments and docstrings.

A `.py` file is hashed by its syntax tree without docstrings, comments and layout, a `.toml` file by
its values. Any other file, and one that does not parse, is hashed by its bytes. The tree is
serialised here, node by node, so that every Python from 3.11 to 3.13 gives the same hash.

Code can read its own text (`__doc__`, `open(__file__)`), so two files with the same content hash
can behave differently. A trial's log therefore also has the hash of the submission's bytes, and
scores and `harness verify` report when several texts ran under one content hash.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import tomllib
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from functools import cache
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

DEEPEST = 120
"""The deepest tree or table that is parsed; a deeper file is hashed by its bytes.

The parsers of different Python versions give up at different depths, all beyond this one.
"""
UNSAID = {"type_comment", "kind", "ctx"}
"""Fields that do not affect what code does; a name's context follows from its position."""
LONG_NAME = re.compile(
    rb"""(?:\.[\s\\]*(?:[^\s\\.,;:=(){}\[\]"'#]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[\s\\]*){100}"""
)
"""A dotted name of more than a hundred parts. Python's parser takes memory quadratic in the length
of an imported one (17 GB for 256 KiB), and tomllib memory and time quadratic in a key's."""
ENCODING = re.compile(rb"coding[:=][ \t]*([-\w.]+)")
WITH_ASCII = re.compile(rb"utf[-_]?8(?:-.*)?|latin[-_]?1|iso[-_]?8859[-_]?1|(?:us-)?ascii", re.I)
"""Encodings in which every byte below 128 is its ASCII character, so that no name can be hidden."""
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What parsing can raise: for a wrong syntax or encoding, or a tree that is too deep."""


def sha256_content(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 of files: of each path relative to `root` and the file's content hash, in order."""
    return _sha256((file.relative_to(root).as_posix(), file.read_bytes()) for file in files)


def _sha256(files: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files, key=lambda file: PurePosixPath(file[0])):
        text = _meaning(PurePosixPath(name).suffix, content)
        digest.update(os.fsencode(name) + f"\0{text}\0".encode())
    return digest.hexdigest()


def sha256_contents(contents: Mapping[str, bytes]) -> str:
    """The same for files that have been read, by their paths."""
    return _sha256((name, content) for name, content in contents.items())


def sha256_bytes(contents: Mapping[str, bytes]) -> str:
    """SHA-256 of files that have been read: of each path, its length and its bytes, in order."""
    digest = hashlib.sha256()
    for name in sorted(contents, key=PurePosixPath):
        digest.update(os.fsencode(name) + f"\0{len(contents[name])}\0".encode())
        digest.update(contents[name])
    return digest.hexdigest()


def several_texts(ran: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    """Which submissions ran from several texts under one content hash, in words.

    Args:
        ran: name, content hash and hash of the files of each run; no hash where it is not known.
    """
    texts: dict[tuple[str, str], set[str]] = {}
    for name, content_hash, files in ran:
        if files:
            texts.setdefault((name, content_hash), set()).add(files)
    return tuple(
        f"texts: {len(files)} texts ran under one content hash of {name}, {content_hash[:12]}; "
        "they differ in comments, docstrings or layout, which code can read"
        for (name, content_hash), files in sorted(texts.items())
        if len(files) > 1
    )


@cache
def _meaning(suffix: str, content: bytes) -> str:
    """How a file is hashed (as code, values or bytes), and its hash; computed once a process."""
    form = {".py": python_text, ".toml": toml_text}.get(suffix)
    try:
        text = form(content).encode("utf-8", "surrogatepass") if form else None
    except UNREADABLE:
        text = None
    kind = "bytes" if text is None else suffix
    return f"{kind}:{hashlib.sha256(content if text is None else text).hexdigest()}"


def python_text(content: bytes) -> str:
    """A Python file's syntax tree without prose, the same for every version.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it does not parse, or is too deep.
    """
    refuse_long_names(content)
    _refuse_other_encodings(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes; as an error they would not parse
        return _write_text(ast.parse(content), _node_pieces)


def toml_text(content: bytes) -> str:
    """A TOML file's value, tables in the order of their keys.

    Raises:
        ValueError, RecursionError: it does not parse, or is too deep.
    """
    refuse_long_names(content)
    return table_text(tomllib.loads(content.decode()))


def table_text(table: Mapping[str, Any]) -> str:
    """The text of a table of TOML, in the order of its keys.

    Raises:
        ValueError, RecursionError: it holds what no TOML does, or is too deep.
    """
    return _write_text(table, _value_pieces)


def refuse_long_names(content: bytes) -> None:
    """Check that no dotted name is so long that a parser of Python or TOML runs out of memory.

    Raises:
        ValueError: there is one of more than a hundred parts.
    """
    if LONG_NAME.search(content):
        raise ValueError("a dotted name has more than 100 parts")


def _refuse_other_encodings(content: bytes) -> None:
    """Look where Python does: in comments of the first two lines, with any line ending."""
    for line in re.split(rb"[\r\n]", b"\n".join(content.split(b"\n", 2)[:2])):
        if line.lstrip(b"\xef\xbb\xbf \t\f").startswith(b"#"):
            for name in ENCODING.findall(line):
                if not WITH_ASCII.fullmatch(name):
                    raise ValueError(f"encoded in {name!r}")


def _write_text(root: Any, pieces_of: Callable[[Any], list[Any]]) -> str:
    """The serialised text of a tree; a node's pieces are texts and child nodes, in order."""
    texts: list[str] = []
    levels = [iter([root])]
    while levels:
        for piece in levels[-1]:
            if type(piece) is not str:
                levels.append(iter(pieces_of(piece)))
                break
            texts.append(piece)
        else:
            levels.pop()
        if len(levels) > DEEPEST:
            raise RecursionError(f"more than {DEEPEST} levels")
    return "".join(texts)


def _node_pieces(node: ast.AST) -> list[Any]:
    opening, fields = _shape(type(node).__name__)
    pieces: list[Any] = [opening]
    for name in fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            if parts := _parts(node, value):  # where a version does not know a field, it is empty
                pieces += [f" {name}[", *map(_piece, parts), "]"]
        elif value is not None and not _is_empty_format(name, value):
            pieces += [f" {name}=", _piece(value)]
    pieces.append(")")
    return pieces


@cache
def _shape(kind: str) -> tuple[str, tuple[str, ...]]:
    """How a node's text begins, and the fields that count."""
    return f"({kind}", tuple(name for name in getattr(ast, kind)._fields if name not in UNSAID)


def _piece(value: Any) -> Any:
    """A part of a field: a node, or its text if it has no children."""
    if value is None:  # no constant but a gap, such as the key of `**more` in a dictionary
        return "-,"
    if not isinstance(value, ast.AST):
        return scalar_text(value)
    if isinstance(value, ast.Constant):
        return scalar_text(value.value)
    return value if value._fields else f"({type(value).__name__})"


def _parts(node: ast.AST, values: list[Any]) -> list[Any]:
    """A node's list without docstrings; in an f-string, adjacent texts are joined."""
    if isinstance(node, ast.JoinedStr):
        return _join_text(values)
    if values and isinstance(values[0], ast.stmt):
        statements = [value for value in values if not _is_prose(value)]
        return statements if statements or isinstance(node, ast.Module) else [ast.Pass()]
    return values


def _is_prose(statement: ast.stmt) -> bool:
    """Whether a statement is a text on its own, such as a docstring."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _join_text(values: Iterable[ast.expr]) -> list[Any]:
    """The parts of an f-string with adjacent texts joined, as versions split them differently."""
    parts: list[Any] = []
    for value in values:
        part = value.value if isinstance(value, ast.Constant) else value
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif part != "":
            parts.append(part)
    return parts


def _is_empty_format(name: str, value: Any) -> bool:
    """Whether a field is an empty format specification of an f-string, which has no effect."""
    is_format = name == "format_spec" and isinstance(value, ast.JoinedStr)
    return is_format and not _join_text(value.values)


def _value_pieces(value: Any) -> list[Any]:
    """The pieces of a TOML table or array."""
    if isinstance(value, list):
        return ["[", *map(_below, value), "]"]
    entries = ((scalar_text(key), _below(value[key])) for key in sorted(value))
    return ["{", *chain.from_iterable(entries), "}"]


def _below(value: Any) -> Any:
    return value if isinstance(value, dict | list) else scalar_text(value)


def scalar_text(value: Any) -> str:
    """A constant with its type, and a comma: different constants give different texts."""
    kind = type(value)
    if kind not in SCALARS:
        raise ValueError(f"{value!r} is not a constant of Python or TOML")
    return f"{kind.__name__}{SCALARS[kind](value)},"


SCALARS: dict[type, Callable[[Any], str]] = {
    str: lambda text: f"{len(text)}:{text}",
    int: "{:x}".format,
    bool: str,
    float: float.hex,
    complex: lambda number: f"{number.real.hex()}:{number.imag.hex()}",
    bytes: bytes.hex,
    type(None): str,
    type(...): str,
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
}
"""How a constant of each type is serialised."""
