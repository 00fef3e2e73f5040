"""How a command changes a submission's search space: with fixed values or with another space."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from harness.core.errors import HarnessError, UnknownNameError, listing, nearest
from harness.core.names import check_name
from harness.submission.algoperf.space import with_tuning_space
from harness.submission.options import SYNONYMS, options_of
from harness.submission.reference import Scalar
from harness.submission.resolution import ResolvedSubmission, resolve
from harness.submission.space import Space, read_space

_SCALAR: TypeAdapter[Scalar] = TypeAdapter(Scalar, config=ConfigDict(strict=True))


def setting_of(text: str) -> tuple[str, Scalar]:
    """The name and the value of `NAME=VALUE`; the value is parsed as TOML, or else taken as text.

    Raises:
        HarnessError: it has another form, or the value is not a single number, boolean or text.
    """
    name, equals, value_text = text.partition("=")
    if not equals or not value_text:
        raise HarnessError(f"--set {text} is not NAME=VALUE", "for example: --set momentum=0.9")
    value: object = value_text
    with suppress(tomllib.TOMLDecodeError):  # a text without quotes, as a shell leaves it
        value = tomllib.loads(f"value = {value_text}")["value"]
    try:
        return check_name("hyperparameter", name.strip()), _SCALAR.validate_python(value)
    except ValidationError as error:
        raise HarnessError(
            f"--set {text}: {error.errors()[0]['msg'].removeprefix('Value error, ')}",
            "allowed: a finite number, true, false or a string",
        ) from error


def searched_space(file: Path, submission: str) -> Space:
    """Read a search space from a `space.toml` or from AlgoPerf's `tuning_search_space.json`.

    Args:
        file: its suffix says which of the two it is.
        submission: whose summary and frameworks are used, as a JSON file has none.

    Raises:
        HarnessError: it is missing or malformed.
    """
    if not file.is_file():
        raise HarnessError(f"--space {file} is not a file", "give a space.toml, or AlgoPerf's JSON")
    if file.suffix != ".json":
        return read_space(file)
    try:
        text = file.read_bytes()
    except OSError as error:
        raise HarnessError(f"cannot read {file}: {error.strerror}") from error
    return with_tuning_space(resolve(submission).space, text, file)


def _check_known(name: str, space: Space, *, accepts_any: bool) -> None:
    """Check that a hyperparameter can be set.

    Args:
        name: its name.
        space: has the hyperparameters that there are.
        accepts_any: whether it may be an argument that the space does not name.

    Raises:
        UnknownNameError: it cannot, or is another name of a hyperparameter of the space.
    """
    own, options = space.default, options_of(space.default)
    if name in (*own, *options):
        return
    meant = next((other for other in own if name in SYNONYMS.get(other, ())), "")
    if accepts_any and not (meant and name == SYNONYMS[meant][0]):
        return
    guess = meant or nearest(name, [*own, *options])
    hint = "" if accepts_any else listing("options of every optimizer", sorted(options))
    raise UnknownNameError("hyperparameter", name, own, hint, guess=guess)


def adjust(
    submission: ResolvedSubmission, space: Space | None, settings: Mapping[str, Scalar]
) -> ResolvedSubmission:
    """A submission with another space, and with hyperparameters fixed instead of searched.

    Its reference then has the space's hash, which makes it a different entry from the original.

    Args:
        submission: the original.
        space: replaces the submission's own; None to keep it.
        settings: the fixed hyperparameters and their values. An import path accepts any argument of
            its class; other submissions accept the names in their space and the options of every
            optimizer (`harness.submission.options`).

    Raises:
        UnknownNameError: there is no hyperparameter of a name.
    """
    new_space = space or submission.space
    for name in settings:
        _check_known(name, new_space, accepts_any=submission.is_import_path)
    dimensions = {name: of for name, of in new_space.space.items() if name not in settings}
    changes = {
        "default": {**new_space.default, **settings},
        "space": dimensions,
        "points": tuple({**point, **settings} for point in new_space.points),
    }
    new_space = new_space.model_copy(update=changes)
    if new_space.content_hash == submission.space.content_hash:
        return submission
    ref = submission.ref.model_copy(update={"space": new_space.content_hash})
    return replace(submission, ref=ref, space=new_space)
