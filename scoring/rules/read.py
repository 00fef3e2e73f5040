"""Reader of rules files."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from harness.core.errors import HarnessError, UnknownNameError
from scoring.rules.model import Rules

FOLDER = Path(__file__).parent
DEFAULT_RULES = "guided-descent"


def shipped_rules() -> tuple[str, ...]:
    """The names of the rules included in the package."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


def load_rules(name: str = DEFAULT_RULES) -> Rules:
    """Load rules by an included name or by the path of a TOML file.

    Raises:
        UnknownNameError: neither an included name nor a file.
        HarnessError: the file is not TOML, or has a key or value that is not allowed.
    """
    path = FOLDER / f"{name}.toml"
    if name not in shipped_rules():
        path = Path(name)
        if not path.is_file():
            raise UnknownNameError(
                "rules", name, shipped_rules(), "or give the path of a TOML file"
            )
    try:
        return Rules.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise HarnessError(f"cannot read the rules {path}: {error}") from error
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in item['loc']) or 'the file'}: {item['msg']}"
            for item in error.errors()
        ]
        raise HarnessError(
            f"the rules {path} are not allowed: {'; '.join(lines)}",
            f"keys: {', '.join(Rules.model_fields)}",
        ) from error
