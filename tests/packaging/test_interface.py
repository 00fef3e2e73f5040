"""The public names of `import harness`: lazy, and what they say they are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import harness


def typed_names() -> dict[str, str]:
    """What a type checker sees: the imports under TYPE_CHECKING, the homes by name."""
    tree = ast.parse(Path(harness.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {
        alias.name: str(node.module) for node in imports for alias in node.names if alias.asname
    }


def test_a_type_checker_sees_the_names_that_a_program_gets() -> None:
    assert typed_names() == harness._HOMES
    assert dir(harness) == sorted(harness._HOMES)


@pytest.mark.parametrize("name", sorted(harness._HOMES))
def test_a_name_is_there(name: str) -> None:
    assert getattr(harness, name).__module__ == harness._HOMES[name]


def test_a_name_that_is_not_there_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="'harness' has no attribute 'nothing'"):
        _ = harness.nothing


@pytest.mark.system
def test_importing_it_loads_no_framework() -> None:
    code = "import harness, sys; harness.run; print({'torch', 'jax'} & set(sys.modules))"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "set()"
