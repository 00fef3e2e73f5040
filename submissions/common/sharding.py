"""Work and state that are divided among ranks: who owns what, and how steps are exchanged.

An optimizer has *items*, parameters or blocks of them. Each is owned by one rank, which alone keeps
the item's state and computes its step. A step takes one all-gather, after which every rank has the
steps of all items and makes them on its own copy of the parameters.

    owner   items from the costliest to the cheapest, each to the rank with the least cost so far
    buffer  the steps of a rank's items, one behind the other, filled up to the longest such array

Sources: Graham (1969) for the assignment (longest processing time first, whose longest load is at
most 4/3 of the best one's); Shi et al. (2023) for blocks that are divided so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from torch import Tensor
from torch.optim.optimizer import StateDict

from harness.submission.ranks import OneRank, Ranks
from submissions.common.optimizers import GroupwiseOptimizer

TorchRanks: TypeAlias = Ranks[Tensor]
ALONE: TorchRanks = OneRank[Tensor]()


def assign_owners(costs: Sequence[float], world_size: int) -> list[int]:
    """The rank that owns each item; the same on every rank.

    Args:
        costs: of each item, in any unit.
        world_size: how many ranks there are.
    """
    loads, owners = [0.0] * world_size, [0] * len(costs)
    for item in sorted(range(len(costs)), key=lambda item: (-costs[item], item)):
        owners[item] = min(range(world_size), key=lambda rank: (loads[rank], rank))
        loads[owners[item]] += costs[item]
    return owners


def exchange(
    ranks: TorchRanks,
    own: Mapping[int, Tensor],
    owned_by: Sequence[int],
    like: Sequence[Tensor],
) -> list[Tensor]:
    """The steps of all items, in their order, by one all-gather.

    Args:
        ranks: all of them call this.
        own: the steps of this rank's items.
        owned_by: the owner of each item.
        like: of each item a tensor of its step's shape, all of one dtype, in which steps travel.
    """
    if ranks.world_size == 1:
        return [own[item] for item in range(len(like))]
    if not like:
        return []
    places = [[i for i, owner in enumerate(owned_by) if owner == rank]
              for rank in range(ranks.world_size)]  # fmt: skip
    sizes = [[like[item].numel() for item in items] for items in places]
    buffer = like[0].new_zeros(max(map(sum, sizes)))
    for item, part in zip(places[ranks.rank], _parts(buffer, sizes[ranks.rank]), strict=True):
        part.copy_(own[item].reshape(-1))
    steps: dict[int, Tensor] = {}
    for rank, flat in enumerate(ranks.all_gather(buffer)):
        parts = _parts(flat, sizes[rank])
        steps |= {i: part.view(like[i].shape) for i, part in zip(places[rank], parts, strict=True)}
    return [steps[item] for item in range(len(like))]


def _parts(flat: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """Views of the first entries of an array (length,), one behind the other."""
    return flat[: sum(sizes)].split(list(sizes)) if sizes else ()


class ShardedOptimizer(GroupwiseOptimizer):
    """An optimizer of which each rank keeps the state of what it owns.

    Attributes:
        ranks: those that train together, set before the first step.
        is_divided: whether there is anything to set: all but the owner make an item's step from
            what is exchanged alone. A kind whose step changes its state is computed on each rank.
    """

    ranks: TorchRanks = ALONE
    is_divided: ClassVar[bool] = True

    def state_dict(self) -> StateDict:
        """The whole state, gathered from all ranks, which all call this."""
        state = super().state_dict()
        if self.ranks.world_size == 1:
            return state
        return {**state, "state": _merge(self.ranks.all_gather_state(state["state"]))}


def _merge(parts: Sequence[Any]) -> Any:
    """States of which each rank has some entries, as one: by key, by place, or the first."""
    if isinstance(parts[0], dict):
        keys = dict.fromkeys(key for part in parts for key in part)
        return {key: _merge([part[key] for part in parts if key in part]) for key in keys}
    if isinstance(parts[0], list):
        return [_merge(entries) for entries in zip(*parts, strict=True)]
    return parts[0]
