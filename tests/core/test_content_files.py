"""Content hashes of tables and other files, and that every process computes the same."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from harness.core.content import sha256_bytes, sha256_content
from tests.core.test_content import CODE, digest

ROOT = Path(__file__).parents[2]


TABLES = sorted((ROOT / "submissions").rglob("*.toml"))


SPACE = """
# a comment
b = 1
a = "text"
when = 2026-01-02T03:04:05Z
[table]
list = [1, 2.0, true, {x = 1, y = "2"}]
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"import a" + b".a" * 120_000, "a.py"),
        (b"import a" + b".\\\na" * 60_000, "a.py"),
        (b"import a" + ".a\u0338".encode() * 60_000, "a.py"),
        (b"# coding: utf-7\nimport a" + b"+AC4-a" * 40_000, "a.py"),
        (b"\r# coding: utf-7\rimport a" + b"+AC4-a" * 40_000, "a.py"),
        (b"a" + b".a" * 120_000 + b" = 1", "a.toml"),
        (b"a" + b' . "\\""' * 40_000 + b" = 1", "a.toml"),
    ],
    ids=["import", "continued", "combining", "encoded", "returns", "key", "quoted"],
)
def test_names_that_parsers_choke_on_count_by_their_bytes(
    tmp_path: Path, text: bytes, name: str
) -> None:
    """Read by a parser, the first takes 14 GB, and the keys minutes."""
    before = digest(tmp_path, text, name)
    assert digest(tmp_path, text + b" # b", name) != before


def test_a_file_may_have_a_name_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"\xff.txt")
    file.write_bytes(b"x")
    assert sha256_content(tmp_path, [file]) and sha256_bytes({file.name: file.read_bytes()})


def test_other_files_count_by_their_bytes(tmp_path: Path) -> None:
    assert digest(tmp_path, "x = 1", "a.txt") != digest(tmp_path, "x = 1  # a", "a.txt")
    assert digest(tmp_path, "x = 1", "a.py") != digest(tmp_path, "x = 1", "b.py")


@pytest.mark.parametrize(
    "text",
    [
        SPACE.replace("# a comment", "# another"),
        SPACE.replace("b = 1\n", "").replace("a = ", "b = 0x1  # hexadecimal\na = "),
        SPACE.replace('"text"', "'''text'''"),
        SPACE.replace("[1, 2.0", "[\n 1,\n 2e0"),
        SPACE.replace("{x = 1, y = ", "{ y = ").replace('"2"}', '"2", x = 1 }'),
        SPACE.replace("T03", " 03"),
    ],
)
def test_toml_counts_by_value(tmp_path: Path, text: str) -> None:
    assert text != SPACE and tomllib.loads(text) == tomllib.loads(SPACE)
    assert digest(tmp_path, text, "a.toml") == digest(tmp_path, SPACE, "a.toml")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("b = 1", "b = 1.0"),
        ("b = 1", 'b = "1"'),
        ("b = 1", "b = true"),
        ("b = 1", "b = [1]"),
        ("b = 1", "b = nan"),
        ("b = 1\n", ""),
        ("[table]", "[tables]"),
        ("[1, 2.0", "[2.0, 1"),
        ("[1, 2.0", "[[1], 2.0"),
        ("05Z", "05+01:00"),
        ("05Z", "05"),
        ("T03:04:05Z", ""),
        ("2026-01-02T03:04:05Z", '"2026-01-02T03:04:05+00:00"'),
        ("a comment", "a comment\n= torn"),
    ],
)
def test_types_and_values_of_toml_are_told_apart(tmp_path: Path, before: str, after: str) -> None:
    assert before in SPACE
    changed = digest(tmp_path, SPACE.replace(before, after, 1), "a.toml")
    assert changed != digest(tmp_path, SPACE, "a.toml")


def test_the_digests_are_those_of_every_version(tmp_path: Path) -> None:
    """Golden: whatever changes them moves every identity; the changelog has to say so."""
    assert digest(tmp_path, CODE)[:16] == "07590c406613d83b"
    assert digest(tmp_path, SPACE, "a.toml")[:16] == "629aec92e139fd6d"


def interpreters() -> list[str]:
    """Other Pythons, named in PYTHONS by their paths."""
    return os.environ.get("PYTHONS", "").split(os.pathsep) if os.environ.get("PYTHONS") else []


def test_a_fresh_process_agrees(tmp_path: Path) -> None:
    """Also in other versions of Python, whose paths PYTHONS may name, separated by colons."""
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from harness.core.content import sha256_content
        root = Path(sys.argv[1])
        print(sha256_content(root, [*root.rglob("*.py"), *root.rglob("*.toml")]))
    """)
    hashes = {
        subprocess.run(
            [python, "-c", code, str(ROOT / "submissions")],
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for python in [sys.executable, *interpreters()]
    }
    root = ROOT / "submissions"
    assert hashes == {sha256_content(root, [*root.rglob("*.py"), *TABLES])}
