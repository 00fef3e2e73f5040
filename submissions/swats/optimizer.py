"""The optimizer behind `submission.py`, which states the update, its source and the deviations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from submissions.common.optimizers import Closure, Group, GroupwiseOptimizer
from submissions.common.vectors import chunks, state_lists

LOSS_BETA = 0.9
"""Decay rate of the running mean of losses."""
LEAST_GAIN = 1e-4
"""The fraction by which a loss must fall below the best to count as better."""


class Swats(GroupwiseOptimizer):
    """SWATS; all parameters of a group switch together.

    Args:
        parameters: the parameters to optimise.
        lr: base learning rate (eta); a schedule later writes eta_t into the group.
        betas: decay rates of the first and second moments (beta1, beta2).
        eps: term added to the denominator (epsilon).
        weight_decay: coupled weight decay coefficient, an l2 penalty.
        switch_tolerance: absolute tolerance of the switching test (delta).
        switch_at: the fraction of the budget after which to switch, in place of the test; 0 for the
            test.
        sgd_lr: the learning rate after the switch (Lambda); 0 for its estimate.
        plateau_steps: for `PlateauSwats`: steps without a better loss beyond which it is on a
            plateau.
        budget_fraction: returns the fraction of the budget spent; used if `switch_at` is above 0.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-9,
        weight_decay: float = 0.0,
        switch_tolerance: float = 1e-9,
        switch_at: float = 0.0,
        sgd_lr: float = 0.0,
        plateau_steps: int = 0,
        budget_fraction: Callable[[], float] = lambda: 0.0,
    ) -> None:
        defaults: dict[str, object] = {"lr": lr, "betas": betas, "eps": eps}
        defaults |= {"weight_decay": weight_decay, "switch_tolerance": switch_tolerance}
        defaults |= {"switch_at": switch_at, "sgd_lr": sgd_lr}
        defaults |= {"plateau_steps": plateau_steps, "loss": 0.0, "losses": 0}
        defaults |= {"best": 0.0, "worse": 0}
        defaults |= {"updates": 0, "average": 0.0, "sgd_rate": 0.0, "base_rate": lr}
        super().__init__(parameters, defaults)
        self._budget_fraction = budget_fraction

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; its own learning rate is its base rate."""
        rate = param_group.get("lr", self.defaults["lr"])
        super().add_param_group({"base_rate": rate, **param_group})

    def update(self, group: Group) -> None:
        """Update one group in its current phase."""
        if group["sgd_rate"] > 0.0:
            self._sgd(group)
        else:
            self._adam(group)

    def _sgd(self, group: Group) -> None:
        beta1 = group["betas"][0]
        rate = group["sgd_rate"] * _factor(group)
        for _, parameters in chunks(self.state, group["params"]):
            gradients = _add_decay(parameters, group["weight_decay"])
            (velocity,) = state_lists(self.state, parameters, ("velocity",))
            torch._foreach_mul_(velocity, beta1)
            torch._foreach_add_(velocity, gradients)
            torch._foreach_add_(parameters, velocity, alpha=-(1 - beta1) * rate)

    def _adam(self, group: Group) -> None:
        beta1, beta2 = group["betas"]
        sums: list[torch.Tensor] = []
        for t, parameters in chunks(self.state, group["params"]):
            gradients = _add_decay(parameters, group["weight_decay"])
            first, second = state_lists(self.state, parameters, ("first", "second"))
            torch._foreach_lerp_(first, gradients, 1 - beta1)
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
            scale = torch._foreach_sqrt(second)
            torch._foreach_add_(scale, group["eps"])
            steps = torch._foreach_div(first, scale)
            correction = (1 - beta2**t) ** 0.5 / (1 - beta1**t)
            torch._foreach_mul_(steps, -group["base_rate"] * correction)
            torch._foreach_add_(parameters, steps, alpha=_factor(group))
            sums += [_products(p, g) for p, g in zip(steps, gradients, strict=True)]
        if sums:
            squares, along = torch.stack(sums).sum(0).tolist()
            self._consider(group, squares, -along)

    def _consider(self, group: Group, squares: float, descent: float) -> None:
        """Track gamma = squares / descent, and switch where it is time to."""
        group["updates"] += 1
        if descent == 0.0:
            return
        beta2, gamma = group["betas"][1], squares / descent
        group["average"] = beta2 * group["average"] + (1 - beta2) * gamma
        average = group["average"] / (1 - beta2 ** group["updates"])
        rate = group["sgd_lr"] or average
        if self._is_time(group, average, gamma) and rate > 0.0:
            group["sgd_rate"] = rate
            for parameter in group["params"]:
                for name in ("first", "second"):
                    self.state[parameter].pop(name, None)

    def _is_time(self, group: Group, average: float, gamma: float) -> bool:
        """Whether the fraction of the budget is spent, or the estimate has settled."""
        if group["switch_at"] > 0.0:
            return bool(self._budget_fraction() >= group["switch_at"])
        return bool(group["updates"] > 1 and abs(average - gamma) < group["switch_tolerance"])


class PlateauSwats(Swats):
    """SWATS that switches when the loss no longer falls; a step needs a closure."""

    def step(self, closure: Closure) -> torch.Tensor | float:  # type: ignore[override]
        """Evaluate the closure, follow its loss, update every group and return the loss."""
        loss = torch.enable_grad()(closure)()
        value = loss.item() if isinstance(loss, torch.Tensor) else float(loss)
        for group in self.param_groups:
            _follow(group, value)
        GroupwiseOptimizer.step(self)  # Swats's own may run the hooks a second time
        return loss

    def _is_time(self, group: Group, average: float, gamma: float) -> bool:
        """Whether the last losses were no better than the best before them."""
        del average, gamma
        return bool(group["worse"] > group["plateau_steps"])


def _follow(group: Group, loss: float) -> None:
    """Update the running mean of the losses, and how many steps ago its best value is."""
    group["losses"] += 1
    group["loss"] = LOSS_BETA * group["loss"] + (1 - LOSS_BETA) * loss
    mean = group["loss"] / (1 - LOSS_BETA ** group["losses"])
    if group["losses"] == 1 or mean < group["best"] * (1 - LEAST_GAIN):
        group["best"], group["worse"] = mean, 0
    else:
        group["worse"] += 1


def _factor(group: Group) -> float:
    """The schedule's factor eta_t / eta; 0 if the base rate is."""
    return float(group["lr"] / group["base_rate"]) if group["base_rate"] > 0.0 else 0.0


def _add_decay(parameters: list[torch.Tensor], decay: float) -> list[torch.Tensor]:
    """The gradients, including that of the l2 penalty if there is one."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if decay == 0.0:
        return gradients
    return list(torch._foreach_add(gradients, parameters, alpha=decay))


def _products(step: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """<p, p> and <p, g>, kept on the device."""
    flat = step.flatten()
    return torch.stack([flat.dot(flat), flat.dot(gradient.flatten())])
