"""Elastic averaging: torch.optim's SGD without springs, the closed form of springs alone."""

from __future__ import annotations

import numpy as np
import torch

from .small_problem import DoubleStream, double_kit, submission, values

STEPS = 20


def test_a_replica_without_springs_is_torch_optims_sgd() -> None:
    kit, other = double_kit(), double_kit()
    point = {"replicas": 1, "elasticity": 0.0, "schedule": "constant", "warmup": 0.0}
    point["learning_rate"] = 0.1
    ours, stream, again = submission("ea_sgd", kit, **point), DoubleStream(kit), DoubleStream(kit)
    theirs = torch.optim.SGD(
        other.problem.parameters.values(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    for _ in range(STEPS):
        ours.step(stream)
        theirs.zero_grad()
        other.problem.batch_loss(again.next()).backward()
        theirs.step()
    torch.testing.assert_close(ours.state["replicas"][0], values(other), atol=1e-12, rtol=0.0)


def test_springs_alone_follow_the_powers_of_their_matrix() -> None:
    kit = double_kit()
    point = {"replicas": 3, "elasticity": 0.6, "period": 2, "learning_rate": 0.0}
    ours, stream = submission("ea_sgd", kit, **point), DoubleStream(kit)
    for i, replica in enumerate(ours.state["replicas"]):
        replica.add_(float(i - 2))
    before = torch.stack([*ours.state["replicas"], ours.state["centre"]])
    for _ in range(STEPS):
        ours.step(stream)
    alpha = 0.2
    matrix = (1 - alpha) * np.eye(4)
    matrix[:3, 3] = matrix[3, :3] = alpha
    matrix[3, 3] = 1 - 3 * alpha
    power = torch.from_numpy(np.linalg.matrix_power(matrix, STEPS // 2))
    after = torch.stack([*ours.state["replicas"], ours.state["centre"]])
    torch.testing.assert_close(after, power @ before, atol=1e-12, rtol=0.0)
    torch.testing.assert_close(after.sum(0), before.sum(0))


def test_the_centre_is_judged_and_every_replica_draws_its_own_batch() -> None:
    kit = double_kit()
    ours, stream = submission("ea_sgd", kit, replicas=3), DoubleStream(kit)
    ours.step(stream)
    assert stream.inner.position == 3 * 32
    evaluated = torch.cat([value.flatten() for value in ours.eval_parameters().values()])
    assert torch.equal(evaluated, ours.state["centre"])
    assert not torch.equal(ours.state["replicas"][0], ours.state["replicas"][1])
