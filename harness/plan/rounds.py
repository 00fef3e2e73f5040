"""Scoring rounds: a secret seed, its public commitment, and the seed revealed with the results.

NAME.round.json     public: name, day, commitment; the seed once it is revealed
NAME.secret.json    the same with the seed; readable by its owner alone
"""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from harness.core.errors import HarnessError
from harness.core.files import write_through
from harness.core.seeds import commitment
from workloads.spec import Frozen

SEED_BYTES = 32


class Round(Frozen):
    """One scoring round; `seed` is None if it is still secret."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    drawn: str
    """The day of the draw, UTC."""
    commitment: str = Field(pattern="^[0-9a-f]{64}$")
    seed: str | None = None


def draw_round(name: str, folder: Path) -> tuple[Path, Path]:
    """Draw a secret round seed; returns the public file and the secret one.

    Raises:
        HarnessError: the name is not a valid file name, or a file exists or cannot be written.
    """
    seed, day = secrets.token_hex(SEED_BYTES), datetime.now(UTC).date().isoformat()
    try:
        round_ = Round(name=name, drawn=day, commitment=commitment(seed), seed=seed)
    except ValidationError as error:
        raise HarnessError(
            f"'{name}' is not a valid round name", "letters, digits, '-', '_' and '.'; at most 64"
        ) from error
    public, secret = folder / f"{name}.round.json", folder / f"{name}.secret.json"
    _create(secret, round_, mode=0o600)
    try:
        _create(public, round_.model_copy(update={"seed": None}), mode=0o644)
    except HarnessError:
        secret.unlink()  # a secret to which nobody has committed would only hold its name
        raise
    return public, secret


def reveal_round(secret: Path) -> Path:
    """Write the seed into the public file beside the secret one; returns the public file.

    Raises:
        HarnessError: the secret file has no seed, or the public one has another commitment.
    """
    round_ = read_round(secret)
    if round_.seed is None:
        raise HarnessError(f"{secret} contains no seed", "reveal the file NAME.secret.json")
    public = secret.with_name(f"{round_.name}.round.json")
    if read_round(public).commitment != round_.commitment:
        raise HarnessError(
            f"{public} commits to a different seed than {secret} contains", "the round is void"
        )
    draft = public.with_name(f".{public.name}.{os.getpid()}")
    _create(draft, round_, mode=0o644)
    try:
        draft.replace(public)
    except OSError as error:
        draft.unlink()
        raise _write_error(public, error) from error
    return public


def read_round(path: Path) -> Round:
    """Read a round's public or secret file.

    Raises:
        HarnessError: it cannot be read, is not a round, or its seed does not match its commitment.
    """
    try:
        round_ = Round.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"cannot read the round {path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise HarnessError(
            f"{path} is not a round: {key}: {first['msg']}", "make one with: harness round new NAME"
        ) from error
    if round_.seed is not None and commitment(round_.seed) != round_.commitment:
        raise HarnessError(f"{path}: the seed does not match the commitment", "the round is void")
    return round_


def seed_of(text: str) -> str:
    """The round seed of `--seed`: the text itself, or the seed in the round's file of `@FILE`.

    Raises:
        HarnessError: the file is not a round, or has no seed.
    """
    if not text.startswith("@"):
        return text
    path = Path(text[1:]).expanduser()
    seed = read_round(path).seed
    if seed is None:
        raise HarnessError(f"{path} does not contain its seed", "give the file NAME.secret.json")
    return seed


def _create(path: Path, value: Round, mode: int) -> None:
    """Write a new file; fail if it exists."""
    text = value.model_dump_json(indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise _write_error(path, error) from error
    try:
        write_through(descriptor, text.encode("utf-8"))
    except OSError as error:
        path.unlink()
        raise _write_error(path, error) from error


def _write_error(path: Path, error: OSError) -> HarnessError:
    return HarnessError(
        f"cannot write {path}: {error}", "a round is drawn once: choose another name or folder"
    )
