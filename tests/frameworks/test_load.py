import random
from typing import Any

import jax
import numpy as np
import numpy.typing as npt
import pytest
import torch

from harness.core.errors import HarnessError
from harness.frameworks.problem import ProblemConfig
from tests.frameworks.kit import Kit, parameters


def draws(kit: Kit) -> list[np.ndarray]:
    """What every generator gives next."""
    values: list[npt.ArrayLike] = [np.random.standard_normal(3), random.random()]
    if kit.framework == "torch":
        dropped = torch.nn.functional.dropout(torch.ones(50))
        values += [dropped, torch.randn(3), torch.randn(3, generator=kit.problem.generator)]
    else:
        values += [jax.random.normal(kit.problem.key, (3,))]
    return [np.asarray(value) for value in values]


def test_loading_seeds_every_generator(kit: Kit) -> None:
    kit.backend.load(kit.problem, parameters())
    first = draws(kit)
    kit.backend.load(kit.problem, parameters())
    for value, same in zip(first, draws(kit), strict=True):
        np.testing.assert_array_equal(value, same)


def test_loading_keeps_torchs_parameters_in_place(torch_kit: Kit) -> None:
    live = dict(torch_kit.problem.model.named_parameters())
    torch_kit.problem.batch_loss(torch_kit.batch()).backward()
    torch_kit.backend.load(torch_kit.problem, {n: v + 1 for n, v in parameters().items()})
    for name, value in parameters().items():
        assert torch_kit.problem.parameters[name] is live[name]
        assert live[name].grad is None
        np.testing.assert_array_equal(live[name].detach(), value + 1)


def test_loading_copies(kit: Kit) -> None:
    mine = parameters()
    kit.backend.load(kit.problem, mine)
    for value in mine.values():
        value[:] = 0.0
    values = kit.backend.export(kit.problem.parameters)
    assert all(np.abs(value).max() > 0 for value in values.values())


@pytest.mark.parametrize(("name", "value"), [("output.bias", np.zeros(5)), ("extra", np.zeros(2))])
def test_other_names_or_shapes_are_refused(kit: Kit, name: str, value: np.ndarray) -> None:
    with pytest.raises(HarnessError, match=f"parameter '{name}' has shape"):
        kit.backend.load(kit.problem, parameters() | {name: value.astype(np.float32)})


def test_a_new_problems_parameters_are_zero_and_in_order(kit: Kit) -> None:
    fresh = Kit(kit.framework)
    problem = fresh.backend.problem(ProblemConfig(fresh.source, fresh.problem.budget, 32, 200, 1))
    values = fresh.backend.export(problem.parameters)
    assert list(values) == list(problem.specs) == list(parameters())
    assert not any(value.any() for value in values.values())


def test_an_export_outlives_later_steps(kit: Kit) -> None:
    location = "torch.optim:SGD" if kit.framework == "torch" else "optax:sgd"
    submission = kit.submission(location, learning_rate=0.1)
    stream = kit.stream()
    values = kit.backend.export(submission.eval_parameters())
    before = {name: value.copy() for name, value in values.items()}
    for _ in range(3):
        submission.step(stream)
    kit.backend.synchronize()
    for name, value in before.items():
        assert values[name].flags["C_CONTIGUOUS"]
        assert values[name].dtype == np.float32
        np.testing.assert_array_equal(values[name], value)
    assert (kit.backend.export(submission.eval_parameters())["output.bias"]
            != before["output.bias"]).any()  # fmt: skip


def test_pin_fixes_threads_and_float32(torch_kit: Kit) -> None:
    torch_kit.backend.pin()
    assert torch.get_num_threads() == 1
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.are_deterministic_algorithms_enabled()


def test_jax_opens_no_other_platform_than_the_cpu(jax_kit: Kit) -> None:
    assert {device.platform for device in jax_kit.problem.parameters["output.bias"].devices()} == {
        "cpu"
    }
    config: Any = jax.config  # which declares none of its flags
    assert config.jax_platforms == "cpu"
    assert config.jax_default_matmul_precision == "highest"
