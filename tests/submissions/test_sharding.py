"""Optimizers that divide their state among ranks step as they do alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from harness.frameworks.base import ALONE, Place
from harness.frameworks.torch.ranks import TorchRanks
from harness.submission.ranks import OneRank
from submissions.common.sharding import assign_owners, exchange
from tests.ranks_kit import on_ranks

from .given_problem import Point, Values, largest_error, torch_optimizer, torch_problem, torch_steps
from .test_state_size import floats

CASES: dict[str, tuple[str, Point]] = {
    "muon": ("muon", {"matmul_dtype": "float32"}),
    "normuon": ("normuon", {"matmul_dtype": "float32"}),
    "shampoo": ("shampoo", {"matmul_dtype": "float32", "refresh_every": 4, "start": 2}),
    "blocks": ("shampoo", {"matmul_dtype": "float32", "block_side": 16, "refresh_every": 4}),
}


def test_the_costliest_item_is_alone_where_the_others_cost_as_much() -> None:
    assert assign_owners([1.0, 4.0, 1.0, 2.0], 2) == [1, 0, 1, 1]


def test_there_may_be_fewer_items_than_ranks() -> None:
    assert assign_owners([1.0], 4) == [0]


def test_alone_nothing_is_exchanged() -> None:
    value = torch.ones(2, 3)
    (same,) = exchange(OneRank[torch.Tensor](), {0: value}, owned_by=[0], like=[value])
    assert same is value


class TrainingResult(NamedTuple):
    """Parameters after some steps, the floats that this process keeps, and its whole state."""

    values: Values
    own_floats: int
    state: Any


def train(case: str, place: Place) -> TrainingResult:
    """Twenty steps with given gradients, of which the last ten go on from the state."""
    name, changes = CASES[case]
    ranks = OneRank[torch.Tensor]() if place.world_size == 1 else TorchRanks(place)
    problem = replace(torch_problem(), ranks=ranks)
    first: Any = torch_optimizer(name, problem, **changes)
    torch_steps(first, problem, range(10))
    second: Any = torch_optimizer(name, problem, **changes)
    second.load_state_dict(first.state_dict())
    values = torch_steps(second, problem, range(10, 20))
    own = floats([dict(part.state) for part in second.parts])
    return TrainingResult(values, own, second.state_dict())


@pytest.mark.system
@pytest.mark.parametrize("case", CASES)
def test_ranks_step_as_one_process_does(tmp_path: Path, case: str) -> None:
    alone = train(case, ALONE)
    parts = on_ranks(partial(train, case), 2, tmp_path)
    for part in parts:
        assert largest_error(part.values, alone.values) < 1e-5
        assert floats(part.state) == floats(alone.state)
    assert all(part.own_floats < 0.8 * alone.own_floats for part in parts)
