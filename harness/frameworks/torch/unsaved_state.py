"""Detects state that a torch optimizer keeps outside its `state_dict`: a checkpoint loses it.

Hooks and a wrapped `step` may hold anything; other attributes than `state` and `param_groups` count
as state if they have changed since setup. A trial with such an optimizer is restarted after a kill,
not resumed with incomplete state. A schedule's state is what its author declares it to be: see
`schedule_state`.
"""

from __future__ import annotations

import hashlib
import inspect
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from harness.core.errors import HarnessError

DEEPEST = 12
"""The maximum depth to which attributes are compared; anything deeper counts as unchanged."""
_HOOKS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
_TENSOR_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")
_MODULE_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_TORCH_ATTRIBUTES = frozenset(vars(torch.optim.SGD([torch.zeros(1)], lr=0.0))) | {
    "step",
    "_opt_called",
}
"""The attributes of every torch optimizer, and those that torch's schedulers add."""

_NEVER_THE_SAME = count()


class UnsavedState:
    """Checks an optimizer for state that its `state_dict` omits.

    Args:
        optimizer: the optimizer that `build` returned, before its first step.
        model: the model that it trains.
        generator: the problem's generator, which is saved with the problem.
    """

    def __init__(self, optimizer: Optimizer, model: nn.Module, generator: torch.Generator) -> None:
        self._optimizer = optimizer
        self._model = model
        self._saved_ids = {id(generator), id(torch.default_generator)}
        self._before = dict(_attributes(optimizer, self._saved_ids))

    def refuse(self) -> None:
        """Check that a checkpoint would hold the whole state.

        Raises:
            HarnessError: some state is outside; the message names it.
        """
        if what := self._outside():
            name = type(self._optimizer).__name__
            raise HarnessError(
                f"{name} has {what}, which its state_dict does not contain",
                "keep state in optimizer.state or its groups, or write a class with a state_dict "
                "of its own",
            )

    def _outside(self) -> str:
        if any(getattr(self._optimizer, name, None) for name in _HOOKS):
            return "hooks around its steps"
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        if any(getattr(p, name, None) for p in parameters for name in _TENSOR_HOOKS):
            return "hooks on its parameters' gradients"
        if any(getattr(m, name, None) for m in self._model.modules() for name in _MODULE_HOOKS):
            return "hooks on the model's layers"
        if wrapped := _wrapped(self._optimizer):
            return f"a {wrapped} that is wrapped"
        now = dict(_attributes(self._optimizer, self._saved_ids))
        names = sorted(k for k in now.keys() | self._before if now.get(k) != self._before.get(k))
        return f"the attribute '{names[0]}'" if names else ""


def _wrapped(optimizer: Optimizer) -> str:
    """A method of an instance that was replaced, other than by one of torch's schedulers."""
    for name, value in vars(optimizer).items():
        own = getattr(type(optimizer), name, None)
        method: Any = value
        if getattr(method, "_wrapped_by_lr_sched", False):
            method = method.__wrapped__
        if callable(own) and callable(method) and method not in (own, inspect.unwrap(own)):
            return name
    return ""


def _attributes(
    optimizer: Optimizer, saved_elsewhere: Set[int] = frozenset()
) -> Iterator[tuple[str, str]]:
    """Names and digests of the attributes that not every torch optimizer has."""
    if type(optimizer).__module__.startswith("torch.optim."):
        return  # its own state_dict is complete; caches of shapes are none of its state
    groups = optimizer.param_groups
    saved_ids = {id(p) for group in groups for p in group["params"]} | saved_elsewhere
    saved_ids |= {id(v) for state in optimizer.state.values() for v in _values(state)}
    saved_ids |= set(map(id, _tensors(_state_dict(optimizer))))
    for name, value in vars(optimizer).items():
        if name not in _TORCH_ATTRIBUTES:
            digest = hashlib.sha256()
            _digest(value, digest.update, saved_ids, DEEPEST)
            yield name, digest.hexdigest()


def _state_dict(optimizer: Optimizer) -> Mapping[str, Any]:
    """Its saved state; empty if it raises, which a checkpoint reports and a start need not."""
    try:
        return optimizer.state_dict()
    except Exception:  # an author's own
        return {}


def _values(state: object) -> Collection[object]:
    return state.values() if isinstance(state, Mapping) else ()


def _tensors(value: object) -> Iterator[Tensor]:
    """All tensors in mappings and lists, at any depth."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from (tensor for item in value.values() for tensor in _tensors(item))
    elif isinstance(value, list | tuple):
        yield from (tensor for item in value for tensor in _tensors(item))


def _digest(
    value: object, update: Callable[[bytes], None], saved_ids: Set[int], depth: int
) -> None:
    """Hash a value recursively; parameters and saved state contribute their type only."""
    update(type(value).__qualname__.encode())
    if depth == 0 or id(value) in saved_ids:
        return
    if isinstance(value, Tensor):
        numbers = value.detach().to_dense() if value.layout != torch.strided else value.detach()
        update(numbers.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(value, np.ndarray | np.generic):
        update(value.tobytes())
    elif isinstance(value, bool | int | float | complex | str | bytes):
        update(repr(value).encode())
    elif isinstance(value, Iterator):
        update(str(next(_NEVER_THE_SAME)).encode())  # where it stands cannot be read
    else:
        for part in _parts(value, saved_ids):
            _digest(part, update, saved_ids, depth - 1)


def _parts(value: object, saved_ids: Set[int]) -> Iterator[object]:
    """The elements of a container, or the attributes of an object of an author's class.

    For an optimizer within another, also its state that the outer one does not save.
    """
    if isinstance(value, torch.Generator | np.random.RandomState):
        yield value.get_state()
    elif isinstance(value, np.random.Generator):
        yield value.bit_generator.state
    elif isinstance(value, random.Random):
        yield value.getstate()
    elif isinstance(value, Optimizer):
        yield from (part for pair in _attributes(value, saved_ids) for part in pair)
        yield from (item for item in _tensors(value.state) if id(item) not in saved_ids)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key if isinstance(key, str | int) else type(key).__qualname__
            yield item
    elif isinstance(value, Set):
        yield from sorted(map(repr, value))
    elif isinstance(value, Collection):
        yield from value
    elif _is_own(value):
        yield from (part for pair in sorted(vars(value).items()) for part in pair)


def _is_own(value: object) -> bool:
    """Whether an object is an instance of an author's class, not of torch's or the harness's."""
    top = type(value).__module__.partition(".")[0]
    is_code = isinstance(value, type) or callable(value)
    return (
        hasattr(value, "__dict__") and not is_code and top not in ("harness", "torch", "builtins")
    )
