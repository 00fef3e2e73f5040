"""Groups of flags: a command takes dataclasses whose fields are its command-line flags."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from typing import Any, get_type_hints

Command = Callable[..., None]


def expand_groups(command: Command) -> Command:
    """Expand a command's groups into one parameter per flag, as typer requires.

    A group is a dataclass whose fields are annotated like the parameters of a command.

    Args:
        command: a function with groups and single flags as keyword parameters.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, tuple[type, list[str]]] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if isinstance(kind, type) and is_dataclass(kind):
            flags = list(_flags_of(kind))
            groups[name] = kind, [flag.name for flag in flags]
            parameters += flags
        else:
            parameters.append(parameter.replace(annotation=kind))

    def flat(**values: Any) -> None:
        instances = {
            name: kind(**{flag: values.pop(flag) for flag in flags})
            for name, (kind, flags) in groups.items()
        }
        command(**instances, **values)

    flat.__name__, flat.__doc__, flat.__module__ = command.__name__, command.__doc__, __name__
    flat.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return flat


def _flags_of(group: type) -> Iterator[inspect.Parameter]:
    """A group's fields as parameters; fields without a default become required flags."""
    hints = get_type_hints(group, include_extras=True)
    for name, parameter in inspect.signature(group).parameters.items():
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
