"""Methods in JAX make torch's twenty steps, under a schedule where it enters the update."""

from __future__ import annotations

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Built
from tests.tiers import nightly_but

from .conftest import Measure
from .given_problem import (
    STEPS,
    BareProblem,
    Point,
    Values,
    default_point,
    draw,
    gradients,
    largest_error,
    specs,
    torch_optimizer,
    torch_problem,
)

SAME = {"weight_decay": 0.1}
FLOAT32 = {"matmul_dtype": "float32", **SAME}
NO_NULL_SPACES = ("square", "square_2", "bias")
"""Of a rank that is full from the first gradient on: a null space's basis is anybody's."""
CASES: list[tuple[str, Point]] = [
    ("adagrad", SAME | {"initial_accumulator": 0.01}),
    ("adam", SAME),
    # at these bounds a part of the sizes is at each, and a part between
    ("adam_clip", SAME | {"sgd_learning_rate": 0.1, "lower": 1.0, "upper": 3.0}),
    ("adamc", SAME),
    ("adams", SAME),
    # From 1e-6 the first steps would drown in the rounding of float32 parameters.
    ("d_adaptation", SAME | {"first_estimate": 1e-3}),
    ("dual_averaging", SAME),
    ("eshampoo", FLOAT32 | {"refresh_every": 4, "tolerance": 0.01}),
    ("ggt", SAME | {"window": 5}),
    ("lars", SAME),
    ("mda", SAME),
    ("modular_norm", FLOAT32 | {"polish": 2}),
    ("rmsprop", SAME | {"momentum": 0.9}),
    ("schedule_free_sgd", SAME),
    ("signsgd", SAME),
    ("splus", FLOAT32 | {"refresh_every": 4}),
    ("swats", {"switch_tolerance": 1e9}),
    ("varying_adamw", SAME),
]
OTHERS: list[tuple[str, Point]] = [
    ("adamc", SAME | {"corrected": "declared"}),
    ("d_adaptation", SAME | {"first_estimate": 1e-3, "bias_correction": True, "growth": 1.5}),
    ("eshampoo", FLOAT32 | {"refresh_every": 6, "tolerance": 0.01}),
    ("eshampoo", FLOAT32 | {"max_dim": 0}),
    ("ggt", SAME | {"window": 20, "outside": 0.0}),
    ("modular_norm", FLOAT32 | {"polish": 2, "size": "dual_norm", "masses": True}),
    ("modular_norm", FLOAT32 | {"hidden_norm": "largest", "output_norm": "rows"}),
    ("psgd", FLOAT32 | {"burst": 3, "update_every": 4}),
    ("psgd", FLOAT32 | {"max_skew": 1e9, "initial_scale": "one", "damping": 1e-3}),
    ("rmsprop", SAME),
    ("signsgd", SAME | {"size": "dual_norm", "learning_rate": 1e-4}),
    ("spectral_descent", FLOAT32),
    ("spectral_descent", FLOAT32 | {"scope": "network", "learning_rate": 3e-3}),
    ("splus", FLOAT32 | {"form": "thesis", "learning_rate": 0.01}),
    ("splus", FLOAT32 | {"refresh_every": 4, "stagger": False, "max_dim": 12}),
    ("swats", SAME | {"switch_tolerance": 0.0}),
]


def factors() -> list[float]:
    """A warmup from zero and a decay, step by step."""
    return [min(step / 4, 1.0 - step / 40) for step in range(STEPS)]


def choose(name: str) -> tuple[str, ...]:
    """The parameters on which the two can be compared."""
    return NO_NULL_SPACES if name in ("eshampoo", "splus") else tuple(specs())


def torch_way(name: str, changes: Point) -> tuple[Values, Values]:
    """Parameters after all steps, and those to be evaluated."""
    whole, names = torch_problem(), choose(name)
    problem = BareProblem({n: whole.parameters[n] for n in names}, {n: specs()[n] for n in names})
    optimizer: Any = torch_optimizer(name, problem, **changes)
    rates = [group["lr"] for group in optimizer.param_groups]
    for step, factor in enumerate(factors()):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        for n, value in problem.parameters.items():
            value.grad = torch.from_numpy(gradients(step)[n])
        optimizer.step()
    trained = {n: p.detach().numpy().copy() for n, p in problem.parameters.items()}
    if hasattr(optimizer, "eval"):
        optimizer.eval()
    return trained, {n: p.detach().numpy() for n, p in problem.parameters.items()}


def jax_way(name: str, changes: Point) -> tuple[Values, Values]:
    """The same in JAX."""
    module, names = importlib.import_module(f"submissions.{name}.submission_jax"), choose(name)
    parameters: Any = {n: jnp.asarray(draw(0)[n]) for n in names}
    result = module.build(
        BareProblem(parameters, {n: specs()[n] for n in names}), default_point(name, **changes)
    )
    built = result if isinstance(result, Built) else Built(*result)
    transformation: Any = built.optimizer
    state, update = transformation.init(parameters), jax.jit(transformation.update)
    for step, factor in enumerate(factors()):
        extra = {"factor": jnp.asarray(factor)} if built.takes_factor else {}
        step_gradients = {n: gradients(step)[n] for n in names}
        updates, state = update(step_gradients, state, parameters, **extra)
        if not built.takes_factor:
            updates = jax.tree.map(lambda change, factor=factor: factor * change, updates)
        parameters = optax.apply_updates(parameters, updates)
    evaluate = built.eval_parameters or (lambda _, parameters: parameters)
    return tuple(
        {n: np.asarray(v) for n, v in values.items()}
        for values in (parameters, evaluate(state, parameters))
    )  # type: ignore[return-value]


@pytest.mark.system
@pytest.mark.parametrize(("name", "changes"), nightly_but(CASES, [*CASES, *OTHERS]))
def test_jax_agrees_with_torch(name: str, changes: Point, measure: Measure) -> None:
    (trained, evaluated), (expected, expected_evaluated) = (
        way(name, changes) for way in (jax_way, torch_way)
    )
    displacement = largest_error(expected, draw(0))
    assert displacement > 1e-3
    assert measure(largest_error(trained, expected)) < 1e-3 * displacement
    assert largest_error(evaluated, expected_evaluated) < 1e-3 * displacement


@pytest.mark.parametrize(
    ("name", "changes"), [("signsgd", {"size": "duel_norm"}), ("adamc", {"corrected": "hiden"})]
)
def test_an_unknown_name_is_refused(name: str, changes: Point) -> None:
    module = importlib.import_module(f"submissions.{name}.submission_jax")
    with pytest.raises(UnknownNameError, match="did you mean"):
        module.build(BareProblem({}, specs()), default_point(name, **changes))


def test_the_newton_criterion_is_refused() -> None:
    module = importlib.import_module("submissions.psgd.submission_jax")
    with pytest.raises(HarnessError, match="allowed in jax: 'whitening'"):
        module.build(BareProblem({}, specs()), default_point("psgd", criterion="newton"))


@pytest.mark.system
def test_psgd_in_jax_has_finite_factors_of_a_layer_without_a_gradient() -> None:
    module = importlib.import_module("submissions.psgd.submission_jax")
    parameters: Any = {n: jnp.asarray(v, jnp.float32) for n, v in draw(0).items()}
    built, _ = module.build(BareProblem(parameters, specs()), default_point("psgd"))
    state, update = built.init(parameters), jax.jit(built.update)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    for given in (zeros, zeros, parameters):
        updates, state = update(given, state, parameters)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((updates, state)))


def test_before_the_first_gradient_d_adaptation_stays_where_it_is() -> None:
    module = importlib.import_module("submissions.d_adaptation.submission_jax")
    parameters: Any = {n: jnp.asarray(v) for n, v in draw(0).items()}
    built = module.build(BareProblem(parameters, specs()), default_point("d_adaptation"))
    state = built.optimizer.init(parameters)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    updates, after = jax.jit(built.optimizer.update)(zeros, state, parameters)
    assert largest_error(updates, zeros) == 0.0
    assert int(after.step) == 0
    assert float(after.estimate) == float(state.estimate)
