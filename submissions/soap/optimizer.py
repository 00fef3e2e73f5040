"""The optimizer behind `submission.py`, which states the update, its source and the deviations."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import torch

from submissions.common.eigenbasis import eigenbasis, failures_of, iterate_basis
from submissions.common.optimizers import Group, GroupwiseOptimizer, State
from submissions.common.precision import at_least_float32, bound_gradient
from submissions.common.rotated_adam import move, turn_momentum
from submissions.common.staggering import select_due
from submissions.common.two_sided import SIDES, accumulate, start_factors


class Soap(GroupwiseOptimizer):
    """SOAP for parameters with two or more dimensions.

    Args:
        parameters: the parameters to optimise.
        lr: learning rate (eta).
        weight_decay: decoupled weight decay coefficient (lambda).
        betas: decay rates of the first and second moments (beta1, beta2).
        factor_beta: decay rate of the factors (beta_s).
        eps: term added to the denominator (epsilon).
        refresh_every: steps between refreshes of a basis (T_prec).
        stagger: whether bases are refreshed one at a time, spread over these steps.
        max_dim: longest dimension with a basis; longer ones keep the identity.
        matmul_dtype: dtype name for the projections, or `auto`.
        settings: further values of every group, for a subclass.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.95, 0.95),
        factor_beta: float = 0.95,
        eps: float = 1e-8,
        refresh_every: int = 10,
        stagger: bool = True,
        max_dim: int = 2048,
        matmul_dtype: str = "auto",
        **settings: object,
    ) -> None:
        defaults: dict[str, object] = {"lr": lr, "weight_decay": weight_decay, "betas": betas}
        defaults |= {"factor_beta": factor_beta, "eps": eps, "refresh_every": refresh_every}
        defaults |= {"max_dim": max_dim, "matmul_dtype": matmul_dtype, "step": 0}
        defaults["stagger"] = stagger
        super().__init__(parameters, defaults | settings)

    def update(self, group: Group) -> None:
        """Update one group; a parameter's first gradient only initialises its bases."""
        live = {
            parameter: bound_gradient(at_least_float32(parameter.grad.flatten(1)))
            for parameter in group["params"]
            if parameter.grad is not None
        }
        moving = {parameter: g for parameter, g in live.items() if self.state[parameter]}
        self.move_all(moving, group)
        for parameter, gradient in live.items():
            if parameter in moving:
                self.accumulate(self.state[parameter], gradient, group)
            else:
                self.initialise(self.state[parameter], gradient, group)
        self._refresh(group)
        group["step"] += 1

    def _refresh(self, group: Group) -> None:
        """Refresh the bases due: factor j of n at steps j T / n modulo T, from the first on."""
        states = [self.state[p] for p in group["params"] if p in self.state]
        sides = [(state, side) for state in states for side in SIDES if side in state]
        period, stagger = group["refresh_every"], group["stagger"]
        for state, side in select_due(sides, group["step"], period, stagger=stagger):
            if state["step"] > 0:
                self.turn(state, side)

    def initialise(self, state: State, gradient: torch.Tensor, group: Group) -> None:
        """Start a parameter's moments at zero, its factors and bases from its first gradient."""
        state["step"] = 0
        state["momentum"] = torch.zeros_like(gradient)
        state["second"] = torch.zeros_like(gradient)
        start_bases(state, gradient, group, self.sides(gradient, group))

    def sides(self, gradient: torch.Tensor, group: Group) -> tuple[str, ...]:
        """The sides that may have a basis; a subclass may leave one out."""
        del gradient, group
        return SIDES

    def move_all(self, gradients: dict[torch.Tensor, torch.Tensor], group: Group) -> None:
        """Move the parameters that have bases; a subclass may move them together."""
        for parameter, gradient in gradients.items():
            self.move(parameter, self.state[parameter], gradient, group)

    def move(
        self,
        parameter: torch.Tensor,
        state: State,
        gradient: torch.Tensor,
        group: Group,
    ) -> None:
        """Take an Adam step in the bases."""
        move(parameter, state, gradient, group)

    def accumulate(self, state: State, gradient: torch.Tensor, group: Group) -> None:
        """Add a gradient to the factors."""
        accumulate(state, gradient, group["factor_beta"])

    def turn(self, state: State, side: str) -> None:
        """Refresh one basis, rotating the momentum and permuting the second moment with it."""
        basis, order = iterate_basis(state[side], state[f"{side}_basis"])
        turn_momentum(state, side, basis)
        state["second"] = state["second"][order] if side == "left" else state["second"][:, order]


def start_bases(
    state: State, gradient: torch.Tensor, group: Group, sides: Collection[str] = SIDES
) -> None:
    """Initialise the factors with a first gradient, and the bases with their eigenvectors."""
    start_factors(state, gradient, group["max_dim"], sides)
    accumulate(state, gradient, group["factor_beta"])
    for side in SIDES:
        if side in state:
            state[f"{side}_basis"] = eigenbasis(state[side], failures_of(group))
