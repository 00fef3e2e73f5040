from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import pytest
import torch

from harness.frameworks.examples import ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.problem import ProblemConfig
from harness.submission.interface import Batch
from tests.frameworks.kit import HalfSpent, Kit, parameters, plain

Arrays = Mapping[str, jax.Array]
Gradient = Callable[[dict[str, np.ndarray]], Mapping[str, npt.ArrayLike]]

DIRECTION = {
    name: np.random.default_rng(5).standard_normal(value.shape).astype(np.float32)
    for name, value in parameters().items()
}


def test_both_frameworks_agree_on_logits_and_loss(torch_kit: Kit, jax_kit: Kit) -> None:
    logits, losses = [], []
    for kit in (torch_kit, jax_kit):
        evaluation = kit.problem.evaluate(kit.problem.parameters, kit.batch())
        logits.append(plain(evaluation.logits))
        losses.append(float(plain(evaluation.loss)))
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-6)
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def finite_difference(gradient: Gradient, step: float = 3e-3) -> dict[str, np.ndarray]:
    """The directional derivative of a gradient, by central differences."""
    direction = {
        sign: gradient({n: v + sign * step * DIRECTION[n] for n, v in parameters().items()})
        for sign in (1.0, -1.0)
    }
    return {n: (np.asarray(direction[1.0][n]) - np.asarray(direction[-1.0][n])) / (2 * step)
            for n in DIRECTION}  # fmt: skip


# The first forward-mode derivative makes torch script its own decompositions.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_torch_hessian_product_through_evaluate(torch_kit: Kit) -> None:
    problem, batch = torch_kit.problem, torch_kit.batch()
    gradient = torch.func.grad(lambda values: problem.evaluate(values, batch).loss)
    point = {n: v.detach() for n, v in problem.parameters.items()}
    along = {n: torch.tensor(DIRECTION[n]) for n in point}
    product = torch.func.jvp(gradient, (point,), (along,))[1]
    expected = finite_difference(lambda p: gradient({n: torch.tensor(v) for n, v in p.items()}))
    for name, value in expected.items():
        np.testing.assert_allclose(product[name], value, atol=2e-4)


def test_jax_hessian_product_through_evaluate(jax_kit: Kit) -> None:
    problem, batch = jax_kit.problem, jax_kit.batch()
    gradient = jax.jit(jax.grad(lambda values: problem.evaluate(values, batch).loss))
    along = {n: jnp.array(DIRECTION[n]) for n in problem.parameters}
    product = jax.jit(lambda p: jax.jvp(gradient, (p,), (along,))[1])(problem.parameters)
    for name, value in finite_difference(gradient).items():
        np.testing.assert_allclose(product[name], value, atol=2e-4)


def test_torch_double_backward_through_live_parameters(torch_kit: Kit) -> None:
    problem, batch = torch_kit.problem, torch_kit.batch()
    live = list(problem.parameters.values())
    gradients = torch.autograd.grad(problem.batch_loss(batch), live, create_graph=True)
    parts = [(g * torch.tensor(d)).sum()
             for g, d in zip(gradients, DIRECTION.values(), strict=True)]  # fmt: skip
    product = sum(parts[1:], start=parts[0])
    torch.autograd.backward(product)
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in live)


def test_gauss_newton_product_from_evaluate_and_loss(jax_kit: Kit) -> None:
    problem, batch = jax_kit.problem, jax_kit.batch()
    along = {n: jnp.array(DIRECTION[n]) for n in problem.parameters}

    def logits_of(values: Arrays) -> jax.Array:
        logits: jax.Array = problem.evaluate(values, batch).logits
        return logits

    @jax.jit
    def curvatures(values: Arrays) -> tuple[jax.Array | int, jax.Array]:
        logits, direction = jax.jvp(logits_of, (values,), (along,))
        bent = problem.loss.hessian_product(logits, direction)
        (product,) = jax.vjp(logits_of, values)[1](bent)
        return sum(jnp.vdot(product[n], along[n]) for n in along), jnp.vdot(direction, bent)

    through_parameters, through_logits = curvatures(problem.parameters)
    assert float(through_parameters) == pytest.approx(float(through_logits), rel=1e-4)
    assert float(through_logits) > 0.0


def test_a_generators_state_decides_a_random_pass_and_stays() -> None:
    source = ModelSource(
        "tests.frameworks.noisy_net", {"inputs": 50, "classes": 3}, "cross_entropy", "float32"
    )
    problem: Any = training_backend("torch", "cpu", 1).problem(
        ProblemConfig(source, HalfSpent(), 4, 4, 0)
    )
    batch = Batch(torch.ones(4, 50), torch.zeros(4, dtype=torch.int64))
    values = {"output.weight": torch.ones(3, 50)}
    before = torch.get_rng_state()
    first = problem.evaluate(values, batch, problem.generator)
    again = problem.evaluate(values, batch, problem.generator)
    other = problem.evaluate(values, batch, torch.Generator().manual_seed(1))
    assert torch.equal(first.logits, again.logits)
    assert not torch.equal(first.logits, other.logits)
    assert torch.equal(before, torch.get_rng_state())


def noisy_jax_problem() -> tuple[Any, Batch[Any]]:
    source = ModelSource(
        "tests.frameworks.noisy_net", {"inputs": 50, "classes": 3}, "cross_entropy", "float32"
    )
    config = ProblemConfig(source, HalfSpent(), 4, 4, 0)
    problem: Any = training_backend("jax", "cpu", 1).problem(config)
    problem.parameters = {"output.weight": jnp.ones((3, 50))}
    return problem, Batch(jnp.ones((4, 50)), jnp.zeros(4, dtype=jnp.int32))


def test_a_key_decides_a_random_pass_in_jax() -> None:
    problem, batch = noisy_jax_problem()
    values, key = problem.parameters, jax.random.key(1)
    first, again = (problem.evaluate(values, batch, key).logits for _ in range(2))
    other = problem.evaluate(values, batch, jax.random.key(2)).logits
    without = problem.evaluate(values, batch).logits
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(without, jnp.full((4, 3), 50.0))


def test_each_training_pass_in_jax_draws_anew() -> None:
    problem, batch = noisy_jax_problem()
    _, first = problem.value_and_grad(problem.parameters, batch)
    _, second = problem.value_and_grad(problem.parameters, batch)
    assert not np.array_equal(first["output.weight"], second["output.weight"])


def test_bfloat16_evaluates_in_low_precision_and_returns_float32(kit: Kit) -> None:
    low = kit.with_precision("bfloat16")
    exact = kit.problem.evaluate(kit.problem.parameters, kit.batch())
    rough = low.problem.evaluate(low.problem.parameters, low.batch())
    assert str(rough.logits.dtype).endswith("float32")
    assert plain(rough.loss) == pytest.approx(plain(exact.loss), abs=0.02)
    assert plain(rough.loss) != plain(exact.loss)


def test_torch_counts_every_pass(torch_kit: Kit) -> None:
    problem, batch = torch_kit.problem, torch_kit.batch()
    problem.batch_loss(batch).backward()
    evaluation = problem.evaluate(problem.parameters, batch)
    evaluation.loss.backward(retain_graph=True)
    evaluation.loss.backward()
    assert problem.counts == {"forward": 2, "backward": 3, "examples": 64}


def test_jax_counts_calls_on_arrays_and_noted_passes(jax_kit: Kit) -> None:
    problem, batch = jax_kit.problem, jax_kit.batch()
    problem.value_and_grad(problem.parameters, batch)
    problem.evaluate(problem.parameters, batch)
    problem.capture(problem.parameters, batch)
    problem.note_passes(forward=2, backward=1, examples=10)
    assert problem.counts == {"forward": 5, "backward": 3, "examples": 106}
