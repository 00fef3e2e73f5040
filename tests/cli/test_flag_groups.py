"""Flags in groups, as the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from harness.cli.flag_groups import expand_groups


@dataclass(frozen=True, kw_only=True)
class Size:
    width: Annotated[int, typer.Option(help="How wide.")]
    name: Annotated[list[str] | None, typer.Option("--called")] = None


heard: list[tuple[Size, bool]] = []


@expand_groups
def command(*, size: Size, is_loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
    """Say a size."""
    heard.append((size, is_loud))


def invoke(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(command)
    heard.clear()
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


def test_a_group_is_made_of_its_flags() -> None:
    assert invoke("--width", "3", "--called", "a", "--called", "b", "--loud")[0] == 0
    assert heard == [(Size(width=3, name=["a", "b"]), True)]


def test_a_flag_that_is_left_out_has_its_default() -> None:
    assert invoke("--width", "3")[0] == 0
    assert heard == [(Size(width=3), False)]


def test_a_field_without_a_default_is_a_required_flag() -> None:
    code, output = invoke("--loud")
    assert (code, "--width" in output, heard) == (2, True, [])


def test_help_has_the_texts_of_command_and_flags() -> None:
    _, output = invoke("--help")
    assert "Say a size." in output
    assert "How wide." in output
