"""Check a published score against the records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from scoring.scoreboard import Scoreboard


def score_mismatch(out: Path, file: Path) -> str:
    """The first number of a `harness score --json` file that differs from the records'; "" if none.

    Intervals and ranks (`uncertainty`) are not compared.

    Raises:
        HarnessError: the file is not such a file, or the records cannot be scored.
    """
    document = _read(file)
    ours = json.loads(json.dumps(_score(out, document, file).to_json()))
    for key, value in ours.items():
        if document.get(key) != value:
            return f"'{key}' is {_short(document.get(key))}; the records say {_short(value)}"
    return ""


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"cannot read the score {file}: {error}") from error
    if not isinstance(document, dict):
        raise HarnessError(
            f"{file} is not a score", "write one with: harness score OUT --json FILE"
        )
    return document


def _score(out: Path, document: dict[str, Any], file: Path) -> Scoreboard:
    from harness.analysis.scored import Source, score_records
    from scoring.refusals import RULES
    from scoring.rules import Rules

    try:
        rules = Rules.model_validate(document["rules"])
        clock = str(document["clock"]["name"])
        flags = [str(flag).partition(":")[0] for flag in document["flags"]]
    except (KeyError, TypeError, ValidationError) as error:
        raise HarnessError(
            f"{file} is not a score: {error}", "write one with: harness score OUT --json FILE"
        ) from error
    if "normalised" in flags:
        raise HarnessError(
            f"{file} is a normalised score: it is based on records of two machines",
            "score both folders again with --normalise and compare",
        )
    allowed_rules = tuple(name for name in flags if name in RULES)
    return score_records(Source(out, clock=clock, allow=allowed_rules), out, rules).board


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
