"""Content hashes: blind to prose and layout, and to nothing else."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.core.content import DEEPEST, several_texts, sha256_content

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "harness").rglob("*.py")) + sorted((ROOT / "submissions").rglob("*.py"))

CODE = '''
"""A module."""
from __future__ import annotations
import math as m

class Step:
    """A class."""

    rate: float = 0.1
    """An attribute."""

    def __call__(self, x, *, scale=2, **rest):
        """A function."""
        if x > 1.5 and not rest:
            return f"{x:>{scale}} of " "two" + 'parts' 'joined'
        return [-x ** 3, x @ x, b"raw", 1j, ..., None, True][scale]

    def nothing(self):
        """Prose alone."""
'''


def digest(folder: Path, content: str | bytes, name: str = "m.py") -> str:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return sha256_content(folder, [file])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""A module."""', ""),
        ('"""A module."""', '"""Another."""\n# and a comment'),
        ('"""A class."""', ""),
        ('"""An attribute."""', ""),
        ('"""A function."""', '"an early word"; "a late one"  # noqa'),
        ('"""Prose alone."""', "pass"),
        ('"""Prose alone."""', '"""Prose alone."""\n        pass'),
        ('"two" + ', '"t" "w" f"o" + '),
        ("'parts' 'joined'", 'u"partsjoined"'),
        ("'parts' 'joined'", '"part\\x73" """joined"""'),
        (" of ", "\\x20of "),
        ("scale=2", "scale = 0x2"),
        ("x > 1.5", "(x>15e-1)"),
        ("\n\n", "\n\n\n"),
        ("\n", "\r\n"),
    ],
)
def test_prose_and_layout_do_not_count(tmp_path: Path, before: str, after: str) -> None:
    assert before in CODE
    changed = CODE.replace(before, after)
    assert changed != CODE
    ast.parse(changed)
    assert digest(tmp_path, changed) == digest(tmp_path, CODE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import math as m", "import math as n"),
        ("import math as m", "import cmath as m"),
        ("import math as m", "from math import pi as m"),
        ("from __future__ import annotations\n", ""),
        ("scale=2", "scale=3"),
        ("scale=2", "scale=2.0"),
        ("scale=2", "scale=True"),
        ("scale=2", "scale=None"),
        ("scale=2", "scale"),
        ("*, scale", "scale"),
        ("x > 1.5", "x >= 1.5"),
        ("x > 1.5", "x > 1.5000000000000002"),
        ("and not", "or not"),
        ("-x ** 3", "(-x) ** 3"),
        ("x @ x", "x * x"),
        ('b"raw"', '"raw"'),
        ('b"raw"', 'b"roh"'),
        ("1j", "2j"),
        ("...", "Ellipsis"),
        (">{scale}", ">2"),
        ("{x:", "{x!r:"),
        ('"two"', '"two" ""f"{x}"'),
        (" of ", " off "),
        ("rate: float", "rate: int"),
        (": float = 0.1", " = 0.1"),
        ("class Step:", "class Stop:"),
        ("def nothing", "async def nothing"),
        ("rest):", "rest) -> None:"),
        ('"""Prose alone."""', "return 0"),
        ('"""Prose alone."""', "..."),
        ('"""A function."""', 'f"""A function."""'),
        ('"""A function."""', 'b"""A function."""'),
    ],
)
def test_what_code_does_counts(tmp_path: Path, before: str, after: str) -> None:
    assert before in CODE
    changed = CODE.replace(before, after)
    ast.parse(changed)
    assert digest(tmp_path, changed) != digest(tmp_path, CODE)


@given(st.sampled_from(SOURCES), st.randoms(use_true_random=False))
def test_a_file_written_anew_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, source: Path, chance: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("anew")
    text = source.read_text()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and chance.random() < 0.2:
            # what stands first may be a docstring or an import from __future__: both go on
            body.insert(1, ast.Expr(ast.Constant("prose")))
    written = "# new\n" + ast.unparse(ast.fix_missing_locations(tree))
    assert digest(folder, written) == digest(folder, text)


@given(st.sampled_from(SOURCES), st.randoms(use_true_random=False))
def test_a_changed_constant_or_name_is_found(
    tmp_path_factory: pytest.TempPathFactory, source: Path, chance: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    tree = ast.parse(source.read_text())
    numbers = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name)
        or (isinstance(node, ast.Constant) and type(node.value) in (int, float))
    ]
    assume(numbers)
    before = digest(folder, ast.unparse(tree))
    match chance.choice(numbers):
        case ast.Name() as name:
            name.id += "_"
        case ast.Constant(value=int() | float() as value) as constant:
            constant.value = value + 1
    assert digest(folder, ast.unparse(tree)) != before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("['a', 'b']", "['a' 'b']"),
        ("['a', 'b,str1:c']", "['a', 'b', 'c']"),
        ("f(1, 2)", "f((1, 2))"),
        ("f(x, *y)", "f(x, y)"),
        ("{1: 2, **x}", "{1: 2, None: x}"),
        ("x = '\\ud800'", "x = '\\ud801'"),
        ("0.0", "0"),
        ("f'{x}' 'y'", "f'{x}{\"y\"}'"),
        ("a = f'x'", "a = 'x'"),
        ("def f(*, a, b=1): ...", "def f(*, a=1, b): ..."),
        ("def f(*, a, b=1): ...", "def f(*, a=None, b=1): ..."),
        ("if a:\n  b\nelse:\n  c", "if a:\n  b\n  c"),
        ("for a in b: c\nelse: pass", "for a in b: c"),
        ("try:\n  a\nfinally:\n  b", "try:\n  a\nexcept: b"),
        ("from . import a", "from .. import a"),
        ("global a, b", "global b, a"),
        ("match a:\n  case None: b", "match a:\n  case True: b"),
    ],
)
def test_like_texts_are_told_apart(tmp_path: Path, one: str, other: str) -> None:
    assert digest(tmp_path, one) != digest(tmp_path, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f'{x:}'", "f'{x}'"),
        ("'a' f'{x}' 'b' f'c'", "f'a{x}bc'"),
        ("f'{{' f'}}{x}'", "'{' '}' f'{x}'"),
        ("f'{x=}'", "f'x={x!r}'"),
        ("", '"""Prose."""'),
        ("while a:\n  b\nelse:\n  'prose'", "while a:\n  b\nelse:\n  pass"),
        ("x = '\\d'", "x = '\\\\d'"),
        ("# coding: latin-1\nx = '\xe9'".encode("latin-1"), "x = '\xe9'"),
        ("\ufeffx = 1", "x = 1"),
    ],
)
def test_like_trees_are_one(tmp_path: Path, one: str | bytes, other: str) -> None:
    assert digest(tmp_path, one) == digest(tmp_path, other)


@pytest.mark.parametrize(
    "text",
    [
        b"def f(:  # a",
        b"x = '\xff'  # a",
        b"# coding: nonsense\n",
        b"x = 1\0  # a",
        b"(" * 500 + b")" * 500,
        b"-" * (DEEPEST + 1) + b"1  # a",
        b"x = " + b"9" * 5000,
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_does_not_parse_counts_by_its_bytes(tmp_path: Path, text: bytes) -> None:
    before = digest(tmp_path, text)
    assert digest(tmp_path, text) == before
    assert digest(tmp_path, text + b" # b") != before


def test_a_caller_deep_in_the_stack_gets_the_same(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("x = " + "-" * (DEEPEST - 10) + "1")

    def at(depth: int) -> str:
        return at(depth - 1) if depth else sha256_content(tmp_path, [file])

    assert at(300) == sha256_content(tmp_path, [file])


def test_several_texts_of_one_hash_are_said() -> None:
    ran = [("a", "h", "1"), ("a", "h", "1"), ("b", "h", "1"), ("b", "g", "2"), ("c", "h", "")]
    assert several_texts(ran) == ()
    (words,) = several_texts([*ran, ("a", "h", "2"), ("c", "h", "3")])
    assert words.startswith("texts: 2 texts ran under one content hash of a, h")
