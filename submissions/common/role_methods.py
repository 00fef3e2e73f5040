"""Base class of optimizers whose groups know each parameter's role and splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch

from harness.core.errors import HarnessError
from submissions.common.optimizers import Group, GroupwiseOptimizer, list_parameters

Key = tuple[torch.Tensor, str, list[int]]
"""A parameter, its role and its splits."""


class RoleMethod(GroupwiseOptimizer):
    """An optimizer with one averaged momentum, whose steps depend on the parameters' roles.

    Args:
        parameters: the parameters to optimise.
        roles: each parameter's role.
        splits: each parameter's splits, as in `ParameterSpec`.
        settings: values of the group, `momentum` among them.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        roles: Sequence[str],
        splits: Sequence[Sequence[int]],
        settings: Mapping[str, object],
    ) -> None:
        group = {"params": list_parameters(parameters), "roles": list(roles)}
        super().__init__([group | {"splits": [list(s) for s in splits]}], dict(settings))

    def add_param_group(self, param_group: Group) -> None:
        """Add a group, which must say its parameters' `roles`; `splits` are none by default."""
        if "roles" not in param_group:
            raise HarnessError(
                f"a parameter group without roles was added to {type(self).__name__}",
                'add "roles", one of each parameter, such as "hidden_matrix"; they decide the norm',
            )
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group.setdefault("splits", [[] for _ in group["params"]])

    def live(self, group: Group) -> list[Key]:
        """Those parameters of a group that have a gradient."""
        keys = zip(group["params"], group["roles"], group["splits"], strict=True)
        return [key for key in keys if key[0].grad is not None]

    def momentum(self, parameter: torch.Tensor, group: Group) -> torch.Tensor:
        """mu M + (1 - mu) G, which replaces M."""
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: torch.Tensor = state["momentum"]
        return momentum.lerp_(gradient, 1 - group["momentum"])
