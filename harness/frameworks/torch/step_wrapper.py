"""Step rules around a torch optimizer; `harness.submission.step_rules` defines them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.submission.state import StateDict, arrays_of, count_of
from harness.submission.step_rules import Progress, StepRules


class StepWrapper:
    """Applies the rules to each step of an optimizer.

    Args:
        parameters: the parameters that the optimizer trains, by name.
        rules: the step rules that the hyperparameters set.
    """

    def __init__(self, parameters: Mapping[str, Tensor], rules: StepRules) -> None:
        self._parameters, self._rules = parameters, rules
        self._before = _copies(parameters)
        self._slow = _copies(parameters) if rules.every else {}
        is_ahead = bool(rules.nesterov.beta)
        self._pace = {n: torch.zeros_like(v) for n, v in self._before.items()} if is_ahead else {}
        self._ahead = 0.0
        self._steps = 0

    @torch.no_grad()
    def before_step(self, progress: Progress) -> None:
        """Move the parameters to y_t, and remember it."""
        live, nesterov = list(self._parameters.values()), self._rules.nesterov
        is_within = nesterov.start <= progress.fraction < nesterov.end
        self._ahead = nesterov.beta * progress.factor if is_within else 0.0
        if self._ahead:
            torch._foreach_add_(live, list(self._pace.values()), alpha=self._ahead)
        torch._foreach_copy_(list(self._before.values()), live)

    @torch.no_grad()
    def after_step(self, progress: Progress) -> None:
        """Replace the optimizer's result w'_t by w_{t+1}."""
        for name, value in self._parameters.items():
            gradient = value.grad
            if gradient is not None and value.numel() > 0:
                self._apply(name, value, gradient, progress)
        self._steps += 1
        live = list(self._parameters.values())
        if self._slow and self._steps % self._rules.every == 0:
            slow = list(self._slow.values())
            torch._foreach_lerp_(slow, live, self._rules.alpha)
            torch._foreach_copy_(live, slow)
        if self._pace:
            pace = list(self._pace.values())
            displacement = torch._foreach_sub(live, list(self._before.values()))
            torch._foreach_add_(displacement, pace, alpha=self._ahead)
            torch._foreach_lerp_(pace, displacement, 1 - self._rules.nesterov.gamma)

    def state_dict(self) -> StateDict[Tensor]:
        """Lookahead's slow weights, EMA-Nesterov's average and the number of steps."""
        return {"slow": self._slow, "pace": self._pace, "steps": self._steps}

    @torch.no_grad()
    def load_state_dict(self, state: StateDict[Tensor]) -> None:
        """Restore them."""
        self._steps = count_of(state, "steps")
        for own, name in ((self._slow, "slow"), (self._pace, "pace")):
            arrays: Mapping[str, Tensor] = arrays_of(state, name)
            for key, value in arrays.items():
                own[key].copy_(value)

    def _apply(self, name: str, value: Tensor, gradient: Tensor, progress: Progress) -> None:
        """Write w_{t+1} into `value`, which holds w'_t."""
        rules, start = self._rules, self._before[name]
        is_held, floor = rules.is_held(name), rules.floor_of(name)
        factor = progress.matrices if name in rules.matrices else progress.rest
        ratio = factor / progress.factor if rules.has_rest_cooldown and progress.factor else 1.0
        if not (rules.cautious or rules.decay or is_held or floor or ratio != 1.0):
            return
        step = (start - value) * ratio
        if rules.cautious:
            mask = (step * gradient > 0).to(step.dtype)
            step = step * mask * (mask.numel() / (mask.sum() + 1))
        if is_held:
            value.copy_(_hold(start, step, rules.hyperball * factor))
            return
        if floor:
            least = floor * factor * torch.linalg.vector_norm(start)
            largest = torch.finfo(step.dtype).max  # the ratio, of a step of zeros, may be infinite
            step = step * (least / _length(step)).clamp(min=1.0, max=largest)
        if rules.decay:
            mask = (step * start >= 0).to(step.dtype)
            step = step + mask * start * (rules.decay * factor)
        torch.sub(start, step, out=value.detach())


def _hold(start: Tensor, step: Tensor, length: float) -> Tensor:
    """Move by this fraction of the weight's norm in the step's direction; then restore the norm."""
    norm = torch.linalg.vector_norm(start)
    target = start - step / _length(step) * (length * norm)
    result: Tensor = target * (norm / _length(target))
    return result


def _length(values: Tensor) -> Tensor:
    """The norm, at least the smallest positive float, so that it can be divided by."""
    norm: Tensor = torch.linalg.vector_norm(values)
    return norm.clamp(min=torch.finfo(values.dtype).tiny)


def _copies(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in values.items()}
