"""Reads declarations from TOML; errors name the file, the key and what is allowed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from harness.core.content import refuse_long_names
from harness.core.errors import HarnessError
from workloads.frozen import Frozen

FrozenT = TypeVar("FrozenT", bound=Frozen)


def read_toml(path: Path, kind: type[FrozenT]) -> FrozenT:
    """Read and validate one TOML file.

    Raises:
        HarnessError: the file is missing, is not TOML, or has a key or value that is not allowed;
            the message names the file, the line or key, and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"cannot read {path}: {error}") from error
    return parse_toml(text, str(path), kind)


def parse_toml(text: str, name: str, kind: type[FrozenT]) -> FrozenT:
    """Parse and validate TOML text; `name` identifies the file in errors."""
    try:
        refuse_long_names(text.encode("utf-8", "surrogatepass"))
        return kind.model_validate(tomllib.loads(text))
    except RecursionError as error:
        raise HarnessError(f"{name} is not valid TOML: nested too deeply") from error
    except ValidationError as error:
        raise HarnessError(f"{name}: {_first_problem(error, kind)}") from error
    except ValueError as error:  # from tomllib, or a number with too many digits
        raise HarnessError(f"{name} is not valid TOML: {error}") from error


def _first_problem(error: ValidationError, kind: type[Frozen]) -> str:
    first = error.errors()[0]
    if first["type"] == "value_error":
        return _own_problem(first)
    key = ".".join(str(part) for part in first["loc"]) or kind.__name__
    if first["type"] == "extra_forbidden":
        return f"key '{key}' is not known"
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    return f"key '{key}' is {first['input']!r}: {first['msg']}"


def _own_problem(error: ErrorDetails) -> str:
    """The message of a declaration's own validator, after the key that it concerns."""
    message, place = str(error["ctx"]["error"]), ".".join(str(part) for part in error["loc"])
    if isinstance(error["input"], Frozen | dict):  # a whole table: not to be repeated
        return f"{place}: {message}" if place else message
    return f"key '{place}' is {error['input']!r}: {message}"
