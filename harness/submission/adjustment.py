"""What a command changes of a submission's search space: values that are set, or another space."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from harness.core.errors import HarnessError, UnknownNameError
from harness.core.names import check_name
from harness.submission.algoperf.space import with_tuning_space
from harness.submission.options import options_of
from harness.submission.reference import Scalar
from harness.submission.resolution import ResolvedSubmission, resolve
from harness.submission.space import Space, read_space

_SCALAR: TypeAdapter[Scalar] = TypeAdapter(Scalar, config=ConfigDict(strict=True))


def setting_of(text: str) -> tuple[str, Scalar]:
    """The name and the value of `NAME=VALUE`; a value is TOML's, or else a text.

    Raises:
        HarnessError: it is neither, or the value is no single number, truth value or text.
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
            "allowed: a finite number, true, false or a text",
        ) from error


def searched_space(file: Path, submission: str) -> Space:
    """The space of a file: of a `space.toml`, or of AlgoPerf's `tuning_search_space.json`.

    Args:
        file: which of them, its suffix says.
        submission: what it is for; a JSON file says neither summary nor frameworks.

    Raises:
        HarnessError: it is missing or malformed.
    """
    if not file.is_file():
        raise HarnessError(f"--space {file} is no file", "give a space.toml, or AlgoPerf's JSON")
    if file.suffix != ".json":
        return read_space(file)
    try:
        text = file.read_bytes()
    except OSError as error:
        raise HarnessError(f"cannot read {file}: {error.strerror}") from error
    return with_tuning_space(resolve(submission).space, text, file)


def adjust(
    submission: ResolvedSubmission, space: Space | None, settings: Mapping[str, Scalar]
) -> ResolvedSubmission:
    """A submission with another space, and with hyperparameters that are set and searched no more.

    Its reference says so by the space's hash: it is another entry than the submission as it is.

    Args:
        submission: as it was found.
        space: searched in the place of its own.
        settings: the hyperparameters that are set, with their values. An import path takes any name
            that its class takes; others take those of their space, and what any optimizer takes
            (`harness.submission.options`).

    Raises:
        UnknownNameError: there is no hyperparameter of a name.
    """
    new_space = space or submission.space
    names = (*new_space.default, *options_of(new_space.default))
    for name in settings:
        if name not in names and not submission.is_import_path:
            raise UnknownNameError("hyperparameter", name, names)
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
