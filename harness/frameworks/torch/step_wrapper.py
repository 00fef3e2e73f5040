"""Rules for steps around a torch optimizer; `harness.submission.step_rules` states them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.submission.state import StateDict, arrays_of, count_of
from harness.submission.step_rules import StepRules


class StepWrapper:
    """Changes each step that an optimizer has made.

    Args:
        parameters: what the optimizer trains, by name.
        rules: those of the point.
    """

    def __init__(self, parameters: Mapping[str, Tensor], rules: StepRules) -> None:
        self._parameters, self._rules = parameters, rules
        self._before = _copies(parameters)
        self._slow = _copies(parameters) if rules.every else {}
        self._steps = 0

    @torch.no_grad()
    def before_step(self) -> None:
        """Remember w_t."""
        torch._foreach_copy_(list(self._before.values()), list(self._parameters.values()))

    @torch.no_grad()
    def after_step(self, factor: float) -> None:
        """Replace w'_t by w_{t+1}.

        Args:
            factor: of the schedule in this step.
        """
        for name, value in self._parameters.items():
            start, gradient = self._before[name], value.grad
            if gradient is not None and value.numel() > 0:
                is_held = name in self._rules.held
                _apply(value, start, gradient, self._rules, factor=factor, is_held=is_held)
        self._steps += 1
        if self._slow and self._steps % self._rules.every == 0:
            slow, live = list(self._slow.values()), list(self._parameters.values())
            torch._foreach_lerp_(slow, live, self._rules.alpha)
            torch._foreach_copy_(live, slow)

    def state_dict(self) -> StateDict[Tensor]:
        """Lookahead's slow weights, and the number of steps."""
        return {"slow": self._slow, "steps": self._steps}

    @torch.no_grad()
    def load_state_dict(self, state: StateDict[Tensor]) -> None:
        """Put them back."""
        self._steps = count_of(state, "steps")
        slow: Mapping[str, Tensor] = arrays_of(state, "slow")
        for name, value in slow.items():
            self._slow[name].copy_(value)


def _apply(
    value: Tensor,
    start: Tensor,
    gradient: Tensor,
    rules: StepRules,
    *,
    factor: float,
    is_held: bool,
) -> None:
    """Write w_{t+1} into `value`, which holds w'_t."""
    if not (rules.cautious or rules.decay or is_held):
        return
    step = start - value
    if rules.cautious:
        mask = (step * gradient > 0).to(step.dtype)
        step = step * mask * (mask.numel() / (mask.sum() + 1))
    if is_held:
        norm = torch.linalg.vector_norm(start)
        tiny = torch.finfo(step.dtype).tiny
        length = torch.linalg.vector_norm(step).clamp(min=tiny)
        moved = start - step * (rules.hyperball * factor * norm / length)
        value.copy_(moved * (norm / torch.linalg.vector_norm(moved).clamp(min=tiny)))
        return
    if rules.decay:
        mask = (step * start >= 0).to(step.dtype)
        step = step + mask * start * (rules.decay * factor)
    torch.sub(start, step, out=value.detach())


def _copies(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in values.items()}
