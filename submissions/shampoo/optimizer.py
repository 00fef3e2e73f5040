"""The optimizer behind `submission.py`, which states the update, its source and the deviations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch.optim.optimizer import StateDict

from harness.core.errors import UnknownNameError
from submissions.common.eigenbasis import failures_of
from submissions.common.inverse_roots import coupled_newton, inverse_root
from submissions.common.matrix_sign import product_dtype
from submissions.common.optimizers import Group, State
from submissions.common.precision import bound_gradient
from submissions.common.sharding import ShardedOptimizer, assign_owners, exchange
from submissions.common.staggering import select_due
from submissions.common.two_sided import SIDES, accumulate, start_factors

GRAFTS = ("adam", "none", "sgd")
ROOTS = {"eigen": inverse_root, "newton": coupled_newton}


class Block(NamedTuple):
    """One block of a parameter's matrix in one step."""

    gradient: torch.Tensor
    """(rows, columns)."""
    state: State
    """Momentum, second moment, factors and roots; empty on a rank that does not own the block."""
    owner: int
    """The rank that computes it."""


class Shampoo(ShardedOptimizer):
    """Shampoo for parameters with two or more dimensions, its blocks divided over `ranks`.

    Args:
        parameters: the parameters to optimise.
        lr: learning rate (eta).
        weight_decay: decoupled weight decay coefficient (lambda_w).
        beta1: decay rate of the momentum.
        beta2: decay rate of the factors; 1 sums instead.
        power: exponent of the inverse roots (p).
        damping: damping relative to the largest eigenvalue (lambda).
        refresh_every: steps between refreshes of a root (T_prec).
        start: first step at which roots are computed.
        max_dim: longest dimension with a factor; longer ones use the identity.
        block_side: largest block dimension, or 0 to leave matrices whole.
        graft: method whose step size is used, one of `GRAFTS`.
        graft_beta2: decay rate of the second moment for the graft `adam`.
        epsilon: term added to the denominator for the graft `adam`.
        matmul_dtype: dtype name for products with roots, or `auto`.
        roots: algorithm for the roots, a name in `ROOTS`.
        settings: further values of every group, for a subclass.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        weight_decay: float = 0.0,
        beta1: float = 0.9,
        beta2: float = 0.99,
        power: float = 0.25,
        damping: float = 1e-6,
        refresh_every: int = 10,
        start: int = 1,
        max_dim: int = 2048,
        block_side: int = 0,
        graft: str = "adam",
        graft_beta2: float = 0.99,
        epsilon: float = 1e-8,
        matmul_dtype: str = "auto",
        roots: str = "eigen",
        **settings: object,
    ) -> None:
        if graft not in GRAFTS:
            raise UnknownNameError("graft", graft, GRAFTS)
        if roots not in ROOTS:
            raise UnknownNameError("roots", roots, ROOTS)
        defaults: dict[str, object] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "beta1": beta1,
            "beta2": beta2,
        }
        defaults |= {"power": power, "damping": damping, "refresh_every": refresh_every}
        defaults |= {"start": start, "max_dim": max_dim, "graft": graft, "step": 0}
        defaults |= {"graft_beta2": graft_beta2, "epsilon": epsilon, "matmul_dtype": matmul_dtype}
        defaults |= {"block_side": block_side, "roots": roots}
        super().__init__(parameters, defaults | settings)

    def update(self, group: Group) -> None:
        """Update one group; of several ranks each computes the blocks that it owns."""
        group["step"] += 1
        pairs = zip(group["params"], self._owners(group), strict=True)
        live = [
            (p, self._blocks(p, owned_by, group)) for p, owned_by in pairs if p.grad is not None
        ]
        items = [block for _, parts in live for block in parts]
        mine = [place for place, block in enumerate(items) if block.owner == self.ranks.rank]
        for place in mine:
            _accumulate(items[place], group)
        self._refresh(items, group)
        steps = iter(
            exchange(
                self.ranks,
                {place: self.direction(items[place], group) for place in mine},
                owned_by=[block.owner for block in items],
                like=[block.gradient for block in items],
            )
        )
        for parameter, parts in live:
            step = _join_blocks([next(steps) for _ in parts], parameter, group["block_side"])
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(step.view_as(parameter), alpha=-group["lr"])

    def direction(self, block: Block, group: Group) -> torch.Tensor:
        """A block's step: the graft's, or once it has its roots the preconditioned one."""
        state, momentum = block.state, self.momentum(block, group)
        correction = 1 - group["beta1"] ** state["step"]
        step = _graft(state, momentum, correction, group)
        sides = [side for side in SIDES if side in state]
        if not sides or not all(f"{side}_root" in state for side in sides):
            return step
        size = torch.linalg.vector_norm(step)
        dtype = product_dtype(momentum.device, group["matmul_dtype"])
        step.copy_(self.between_roots(state, momentum.to(dtype)))
        if group["graft"] == "none":
            return step.div_(correction)
        # rescaled to the graft's norm, so the momentum needs no bias correction
        norm = torch.linalg.vector_norm(step).clamp_(min=torch.finfo(step.dtype).tiny)
        return step.mul_(size / norm)

    def momentum(self, block: Block, group: Group) -> torch.Tensor:
        """M_t of a block; a subclass may look ahead here."""
        del group
        momentum: torch.Tensor = block.state["momentum"]
        return momentum

    def between_roots(self, state: State, momentum: torch.Tensor) -> torch.Tensor:
        """P_t of one block; a subclass may combine the roots in another way."""
        step = momentum
        if "left" in state:
            step = root_of(state, "left", step) @ step
        return step @ root_of(state, "right", step) if "right" in state else step

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore the whole state, and keep what this rank owns of it."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for parameter, owned_by in zip(group["params"], self._owners(group), strict=True):
                if parameter in self.state:
                    states = zip(self.state[parameter]["blocks"], owned_by, strict=True)
                    own = [state if owner == self.ranks.rank else {} for state, owner in states]
                    self.state[parameter]["blocks"] = own

    def _owners(self, group: Group) -> list[list[int]]:
        """The rank that owns each block of each parameter of a group, by what it costs."""
        whole = (torch.empty(_matrix_shape(p), device="meta") for p in group["params"])
        shapes = [[part.shape for part in blocks(one, group["block_side"])] for one in whole]
        costs = [_cost(shape, group) for of_parameter in shapes for shape in of_parameter]
        owners = iter(assign_owners(costs, self.ranks.world_size))
        return [[next(owners) for _ in of_parameter] for of_parameter in shapes]

    def _blocks(self, parameter: torch.Tensor, owned_by: list[int], group: Group) -> list[Block]:
        """A parameter's blocks in this step; the first step creates their states."""
        assert parameter.grad is not None
        parts = blocks(bound_gradient(parameter.grad.flatten(1)), group["block_side"])
        state: State = self.state[parameter]
        if not state:
            own = [owner == self.ranks.rank for owner in owned_by]
            state["blocks"] = [
                _start_state(part, group) if is_own else {}
                for part, is_own in zip(parts, own, strict=True)
            ]
        return [Block(*item) for item in zip(parts, state["blocks"], owned_by, strict=True)]

    def _refresh(self, items: list[Block], group: Group) -> None:
        """Recompute the roots due: factor j of n at steps start + j T / n modulo T."""
        factors = [
            (block, side)
            for block in items
            for side, size in zip(SIDES, block.gradient.shape, strict=True)
            if size <= group["max_dim"]
        ]
        since = group["step"] - group["start"]
        for block, side in select_due(factors, since, group["refresh_every"]):
            state = block.state
            if block.owner != self.ranks.rank:
                continue
            both = "left" in state and "right" in state
            power = group["power"] if both else 2 * group["power"]
            root = ROOTS[group["roots"]](state[side], power, group["damping"], failures_of(group))
            if root is None:
                continue
            if group["beta2"] < 1.0:  # the average starts at zero, a sum does not
                root *= (1 - group["beta2"] ** state["step"]) ** power
            # Only products read the root, so it is stored in their precision.
            state[f"{side}_root"] = root.to(product_dtype(root.device, group["matmul_dtype"]))


def blocks(matrix: torch.Tensor, side: int) -> list[torch.Tensor]:
    """Split a matrix into views with dimensions of at most `side`, in row order; 0 for no split."""
    if side == 0:
        return [matrix]
    return [block for rows in matrix.split(side) for block in rows.split(side, 1)]


def _join_blocks(parts: list[torch.Tensor], parameter: torch.Tensor, side: int) -> torch.Tensor:
    """The matrix of a parameter of which these are the blocks."""
    if len(parts) == 1:
        return parts[0]
    whole = parts[0].new_empty(_matrix_shape(parameter))
    for place, part in zip(blocks(whole, side), parts, strict=True):
        place.copy_(part)
    return whole


def _matrix_shape(parameter: torch.Tensor) -> tuple[int, int]:
    return parameter.shape[0], parameter.shape[1:].numel()


def _cost(shape: torch.Size, group: Group) -> float:
    """The approximate number of multiplications of a block (rows, columns) in a step.

    A factor costs one product for its update, one with its root, and every T_prec steps an
    eigendecomposition for the root, about ten products of its size.
    """
    rows, columns = shape
    with_factor = [size for size in shape if size <= group["max_dim"]]
    products = sum(2.0 * rows * columns * size for size in with_factor)
    period: int = group["refresh_every"]
    return products + sum(10.0 * size**3 for size in with_factor) / period


def _start_state(block: torch.Tensor, group: Group) -> State:
    """The initial state of a block (rows, columns)."""
    state: State = {"step": 0, "momentum": block.new_zeros(block.shape)}
    if group["graft"] == "adam":
        state["second"] = block.new_zeros(block.shape)
    start_factors(state, block, group["max_dim"])
    return state


def _accumulate(block: Block, group: Group) -> None:
    gradient, state = block.gradient, block.state
    state["step"] += 1
    accumulate(state, gradient, group["beta2"])
    if "second" in state:
        decay = group["graft_beta2"]
        state["second"].mul_(decay).addcmul_(gradient, gradient, value=1 - decay)
    state["momentum"].lerp_(gradient, 1 - group["beta1"])


def _graft(state: State, momentum: torch.Tensor, correction: float, group: Group) -> torch.Tensor:
    """Q_t, or M^_t for the graft `none`."""
    if group["graft"] != "adam":
        return momentum / correction
    second = 1 - group["graft_beta2"] ** state["step"]
    # M^ / (sqrt(v^) + epsilon) with both corrections in the denominator saves one pass
    root = state["second"].sqrt().mul_(correction / second**0.5)
    return torch.div(momentum, root.add_(correction * group["epsilon"]), out=root)


def root_of(state: State, side: str, like: torch.Tensor) -> torch.Tensor:
    """One side's root in the precision of `like`; one from a checkpoint has another precision."""
    root: torch.Tensor = state[f"{side}_root"]
    return root.to(like.dtype)
