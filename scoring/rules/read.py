"""Reader of rules files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.core.errors import HarnessError, UnknownNameError
from scoring.rules.model import Rules

FOLDER = Path(__file__).parent
DEFAULT_RULES = "guided-descent"


def shipped_rules() -> tuple[str, ...]:
    """The names of the included rules."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


def load_rules(name: str = DEFAULT_RULES) -> Rules:
    """Load included rules by name, or others by the path of a TOML file.

    Raises:
        UnknownNameError: the name is neither included nor a file.
        HarnessError: the file is not TOML, or has an invalid key or value.
    """
    path = FOLDER / f"{name}.toml"
    if name not in shipped_rules():
        path = Path(name)
        if not path.is_file():
            raise UnknownNameError(
                "rules", name, shipped_rules(), "or give the path of a TOML file"
            )
    table = _table(path)
    if isinstance(table.get("targets"), str):
        table["targets"] = _targets(path.parent / table["targets"], table)
    try:
        return Rules.model_validate(table)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in item['loc']) or 'the file'}: {item['msg']}"
            for item in error.errors()
        ]
        raise HarnessError(
            f"the rules {path} are not allowed: {'; '.join(lines)}",
            f"keys: {', '.join(Rules.model_fields)}",
        ) from error


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise HarnessError(f"cannot read the rules {path}: {error}") from error


def _targets(path: Path, rules: Mapping[str, Any]) -> dict[str, Any]:
    """The targets from a separate file, for the workloads that the rules name; all if they name
    none.
    """
    targets = _table(path)
    names = [*rules.get("base", ()), *rules.get("held_out", {})] or targets
    if missing := [name for name in names if name not in targets]:
        raise HarnessError(
            f"{path} has no target of {', '.join(missing)}, which the rules name",
            "add a table of that name with metric, direction and value",
        )
    return {name: targets[name] for name in names}
