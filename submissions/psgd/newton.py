"""PSGD by the Newton-type criterion; `submission.py` states the update and the deviations."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from harness.core.errors import HarnessError
from submissions.common.optimizers import Closure, Group, GroupwiseOptimizer, State
from submissions.common.precision import bound_gradient

from .factors import SIDES
from .optimizer import is_dense_side
from .stacks import clip_steps, sides_of

RandomStates = dict[torch.device, torch.Tensor]
"""The state of each device's generator."""


class NewtonPsgd(GroupwiseOptimizer):
    """PSGD whose factors are fitted to gradient differences; a step needs a closure.

    Args:
        parameters: the parameters to optimise.
        settings: `lr`, `weight_decay`, `momentum`, `preconditioner_rate` (mu), `update_every` (T),
            `burst`, `clip`, `max_dim` and `max_skew`.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], **settings: object) -> None:
        super().__init__(parameters, settings | {"step": 0})

    def step(self, closure: Closure) -> torch.Tensor | float:  # type: ignore[override]
        """Fit the factors, if due, and move; return the loss before the step.

        Args:
            closure: sets the gradients of one and the same batch at each call, and returns its
                loss.
        """
        if closure is None:
            raise HarnessError(
                "NewtonPsgd.step without a closure",
                "give one: the criterion needs the batch's gradient at a second point",
            )
        is_due = any(_is_due(group) for group in self.param_groups)
        random = self._random_states() if is_due else {}
        loss = torch.enable_grad()(closure)()
        with torch.no_grad():
            if is_due:
                self._fit(torch.enable_grad()(closure), random)
            for group in self.param_groups:
                self.update(group)
        return loss

    def update(self, group: Group) -> None:
        """Move the parameters of one group by their preconditioned momentum."""
        for parameter in (p for p in group["params"] if p.grad is not None and p.numel() > 0):
            state = self._state(parameter, group)
            state["step"] += 1
            state["momentum"].lerp_(bound_gradient(parameter.grad), 1 - group["momentum"])
            average = _matrix(state["momentum"]) / (1 - group["momentum"] ** state["step"])
            step = clip_steps(precondition(state, average), group["clip"])
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(step.view_as(parameter), alpha=-group["lr"])
        group["step"] += 1

    def _random_states(self) -> RandomStates:
        """Those of the CPU's generator and of the GPUs that hold parameters."""
        cpu = {torch.device("cpu"): torch.get_rng_state()}
        devices = {p.device for group in self.param_groups for p in group["params"]}
        return cpu | {gpu: torch.cuda.get_rng_state(gpu) for gpu in devices if gpu.type == "cuda"}

    def _fit(self, closure: Closure, random: RandomStates) -> None:
        """Evaluate the batch's gradient near the parameters, and take a step of every factor."""
        live = [p for g in self.param_groups for p in g["params"] if p.grad is not None]
        originals = [(p, p.clone(), p.grad.clone()) for p in live]
        # the state of a step is all that its direction depends on, so that a trial can be resumed
        generator = torch.Generator().manual_seed(self.param_groups[0]["step"])
        directions = [torch.randn(p.shape, generator=generator).to(p) for p in live]
        for parameter, direction in zip(live, directions, strict=True):
            parameter.add_(direction, alpha=torch.finfo(parameter.dtype).eps ** 0.5)
        gpus = [device for device in random if device.type == "cuda"]
        with torch.random.fork_rng(devices=gpus, device_type="cuda"):
            torch.set_rng_state(random[torch.device("cpu")])
            for gpu in gpus:
                torch.cuda.set_rng_state(random[gpu], gpu)
            closure()
        changes = [
            (p.grad - gradient) / torch.finfo(p.dtype).eps ** 0.5 for p, _, gradient in originals
        ]
        for parameter, value, gradient in originals:
            parameter.copy_(value)
            parameter.grad = gradient
        by_parameter = dict(zip(live, zip(directions, changes, strict=True), strict=True))
        for group in (group for group in self.param_groups if _is_due(group)):
            for parameter in (p for p in group["params"] if p in by_parameter and p.numel() > 0):
                direction, change = (_matrix(x) for x in by_parameter[parameter])
                fit(self._state(parameter, group), direction, change, group["preconditioner_rate"])

    def _state(self, parameter: torch.Tensor, group: Group) -> State:
        state: State = self.state[parameter]
        if not state:
            state["step"] = 0
            state["momentum"] = torch.zeros_like(parameter)
            for side, size in zip(SIDES, sides_of(parameter), strict=True):
                is_dense = is_dense_side(parameter, size, group)
                state[side] = (torch.eye(size) if is_dense else torch.ones(size)).to(parameter)
        return state


def _is_due(group: Group) -> bool:
    return bool(group["step"] < group["burst"] or group["step"] % group["update_every"] == 0)


def _matrix(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(len(x) if x.ndim > 1 else 1, -1)


def precondition(state: State, matrix: torch.Tensor) -> torch.Tensor:
    """Q_L^T Q_L X Q_R^T Q_R."""
    left, right = (state[side] for side in SIDES)
    x = left.mT @ (left @ matrix) if left.ndim > 1 else left[:, None].square() * matrix
    step: torch.Tensor = (x @ right.mT) @ right if right.ndim > 1 else x * right.square()
    return step


def fit(state: State, direction: torch.Tensor, change: torch.Tensor, rate: float) -> None:
    """One step of both factors along the criterion's gradient on their group.

    Args:
        state: `left` and `right`, upper triangular or, as vectors, diagonal.
        direction: dW, (rows, columns).
        change: dG, the gradient's change along dW.
        rate: mu.
    """
    left, right = (state[side] for side in SIDES)
    a = left @ change if left.ndim > 1 else left[:, None] * change
    a = a @ right.mT if right.ndim > 1 else a * right
    solve = torch.linalg.solve_triangular
    b = solve(left.mT, direction, upper=False) if left.ndim > 1 else direction / left[:, None]
    b = solve(right, b, upper=True, left=False) if right.ndim > 1 else b / right
    for factor, x, y in ((left, a, b), (right, a.mT, b.mT)):
        if factor.ndim > 1:
            slope = (x @ x.mT - y @ y.mT).triu_()
            factor.sub_((slope @ factor) * (rate / _largest(slope)))
        else:
            slope = x.square().sum(1) - y.square().sum(1)
            factor.mul_(1 - slope * (rate / _largest(slope)))


def _largest(slope: torch.Tensor) -> torch.Tensor:
    return slope.abs().max().clamp_(min=torch.finfo(slope.dtype).tiny)
