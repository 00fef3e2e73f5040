"""Classes in JAX make torch's twenty steps on the small perceptron."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from tests.frameworks.kit import Kit
from tests.tiers import nightly_but

from .class_twins import class_of, furthest, train, ways
from .conftest import Measure
from .given_problem import Point, default_point
from .workload_models import WorkloadKit

LARGE = {"batch_factor": 2}
CLIPPED = {"clip": 0.1}
TO_ZERO = {"schedule": "linear", "warmup": 0.0, "final_factor": 0.0, "horizon": 0.75}
# Few iterations: which of several that have converged is the least is a matter of rounding.
SOLVED = {**LARGE, "damping": 10.0, "cg_iterations": 3}
FLOAT32 = {"matmul_dtype": "float32"}
NEWTON = {"learning_rate": 0.2, "damping": 0.2}
CASES: list[tuple[str, Point]] = [
    ("async_sgd", {"rule": "elastic", "period": 2}),
    ("cg_bfgs", {"batch_factor": 4, "memory": 2}),
    ("dfw", {"refresh_every": 4}),
    ("ea_sgd", {"period": 2}),
    ("ekfac", {"refresh_every": 4, "observe_every": 2}),
    ("entropy_sgd", {"noise": 0.0, "langevin_steps": 5, "langevin_momentum": 0.5}),
    ("full_adagrad", {}),
    ("hessian_free", {**SOLVED, "warm_start": 0.5}),
    ("kfac", {"refresh_every": 4, "observe_every": 2}),
    ("natural_gradient", {**LARGE, "damping": 1.0, "tolerance": 0.0}),
    ("newton", {**NEWTON, **LARGE}),
    ("newton_muon", {**FLOAT32, "refresh_every": 3}),
    ("paper_kfac", {"damping": 10.0, "refresh_every": 5}),
    ("sophia_g", {"learning_rate": 0.01, "estimate_every": 3}),
]
KINDS = ("ea_sgd", "full_adagrad", "hessian_free", "kfac", "sophia_g")
"""A loop over batches, a step in float64, a search, captured passes and a pass at some steps."""
OTHERS: list[tuple[str, Point]] = [
    ("async_sgd", {**CLIPPED, "rule": "downpour", "period": 4}),
    ("cg_bfgs", {"batch_factor": 4, "memory": 0, "iterations": 4, **TO_ZERO}),
    ("cg_bfgs", {**LARGE, "memory": 12, "curvature": 0.9}),
    ("dfw", {**CLIPPED, "max_dim": 8, "factor_beta": 0.5, "momentum": 0.0}),
    ("ea_sgd", CLIPPED),
    ("ekfac", {**CLIPPED, "diagonal": "batch", "fisher": "empirical", "sharing": "reduce"}),
    ("entropy_sgd", {**CLIPPED, "noise": 0.0, "scope": 2.0, "scoping": 0.3}),
    ("full_adagrad", CLIPPED),
    ("hessian_free", {**SOLVED, "curvature": "hessian", "batch_factor": 4}),
    ("hessian_free", {**SOLVED, "curvature": "finite_difference"}),
    ("kfac", {**CLIPPED, "fisher": "empirical", "damping_form": "thesis", "max_dim": 8}),
    ("natural_gradient", {"damping": 1.0, "fisher": "sampled", "curvature_fraction": 1.0}),
    ("natural_gradient", {**CLIPPED, **LARGE, "damping": 1.0, "fisher": "empirical"}),
    ("newton", {**NEWTON, "spectrum": "absolute", "curvature_fraction": 0.5}),
    ("newton_muon", {**CLIPPED, **FLOAT32, "refresh_every": 1}),
    ("paper_kfac", {**CLIPPED, "damping": 10.0, "inverse": "diagonal", "learning_rate": 0.5}),
    ("sophia_g", {**CLIPPED, "learning_rate": 0.05, "gamma": 20.0, "estimate_fraction": 1.0}),
]


AT_EVERY_COMMIT = [case for case in CASES if case[0] in KINDS]


@pytest.mark.system
@pytest.mark.parametrize(("name", "changes"), nightly_but(AT_EVERY_COMMIT, [*CASES, *OTHERS]))
def test_jax_agrees_with_torch(name: str, changes: Point, measure: Measure) -> None:
    ours, expected = ways(name, changes)
    moved = furthest(expected[-1], expected[0])
    assert moved > 1e-2
    errors = [furthest(*pair) for pair in zip(ours, expected, strict=True)]
    assert measure(max(errors)) < 1e-3 * moved


def probe(shape: tuple[int, ...]) -> np.ndarray:
    """What stands for a draw from N(0, I), of each shape the same."""
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


class GivenInTorch(class_of("torch", "sophia_h")):  # type: ignore[misc]
    def _probe(self, value: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(probe(tuple(value.shape)))


class GivenInJax(class_of("jax", "sophia_h")):  # type: ignore[misc]
    def probes(self, parameters: dict[str, jax.Array], key: jax.Array) -> dict[str, jax.Array]:
        del key
        return {name: jnp.asarray(probe(value.shape)) for name, value in parameters.items()}


def test_sophia_h_with_given_probes_agrees_with_torch(measure: Measure) -> None:
    changes = {"learning_rate": 0.05, "gamma": 20.0, "estimate_every": 4}
    point = default_point("sophia_h", **changes)
    ours = train(Kit("jax"), GivenInJax(), point)
    expected = train(Kit("torch"), GivenInTorch(), point)
    moved = furthest(expected[-1], expected[0])
    assert moved > 1e-2
    assert measure(max(map(furthest, ours, expected))) < 1e-3 * moved


@pytest.mark.nightly
@pytest.mark.parametrize(("kind", "fourth"), [("normal", 3.0), ("rademacher", 1.0)])
def test_sophia_hs_probes_have_unit_variance(kind: str, fourth: float) -> None:
    kit = Kit("jax")
    ours = class_of("jax", "sophia_h")()
    ours.setup(kit.problem, default_point("sophia_h", probe=kind))
    drawn = jax.vmap(lambda key: ours.probes(ours.parameters, key)["hidden_1.weight"])(
        jax.random.split(jax.random.key(0), 2000)
    )
    assert float((drawn**2).mean()) == pytest.approx(1.0, rel=0.03)
    assert float((drawn**4).mean()) == pytest.approx(fourth, rel=0.05)


@pytest.mark.nightly
def test_langevin_noise_in_jax_has_the_stated_variance() -> None:
    """At a rate and scope of which a step leaves nothing but noise, and an average of the last."""
    kit, rate = Kit("jax"), 0.1
    ours = class_of("jax", "entropy_sgd")()
    point: Point = {"langevin_rate": rate, "scope": 1 / rate, "scoping": 0.0, "noise": 50.0}
    point |= {"langevin_steps": 1, "averaging": 1.0, "schedule": "constant"}
    ours.setup(kit.problem, default_point("entropy_sgd", **point))
    stream, squares = kit.stream(), []
    for _ in range(30):
        before = ours.parameters
        ours.step(stream)
        squares += [float(((x - before[n]) ** 2).mean()) for n, x in ours.parameters.items()]
    assert float(np.mean(squares)) == pytest.approx(2 * rate * 50.0**2, rel=0.1)


SHAPED = [
    (name, model)
    for name in ("dfw", "ekfac", "kfac", "newton_muon", "sophia_g")
    for model in ("resnet", "rnn")
]


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "model"), SHAPED)
def test_kernels_and_recurrences_agree_with_torch(name: str, model: str) -> None:
    point = default_point(name)
    point |= {"matmul_dtype": "float32"} if "matmul_dtype" in point else {}
    point |= {"refresh_every": 2} if "refresh_every" in point else {}
    kits = [WorkloadKit(framework, name=model) for framework in ("jax", "torch")]
    ours, expected = (train(kit, class_of(kit.framework, name)(), point, steps=6) for kit in kits)
    moved = furthest(expected[-1], expected[0])
    assert moved > 1e-3
    assert furthest(ours[-1], expected[-1]) < 1e-2 * moved
    for buffer, value in kits[1].problem.buffers.items():
        np.testing.assert_allclose(kits[0].problem.buffers[buffer], value, rtol=1e-3, atol=1e-4)


REFUSED: list[tuple[str, Point]] = [
    ("async_sgd", {"rule": "plastic"}),
    ("async_sgd", {"period": 0}),
    ("cg_bfgs", {"clip": 1.0}),
    ("dfw", {"max_dim": 1}),
    ("ea_sgd", {"elasticity": 1.7}),
    ("ekfac", {"diagonal": "btch"}),
    ("hessian_free", {"curvature": "hessien"}),
    ("kfac", {"damping_form": "papers"}),
    ("kfac", {"fisher": "sample"}),
    ("lbfgs", {"memory": 0}),
    ("natural_gradient", {"fisher": "exakt"}),
    ("newton", {"spectrum": "exct"}),
    ("paper_kfac", {"inverse": "diagonl"}),
    ("sophia_g", {"clip": -1.0}),
    ("sophia_h", {"probe": "normel"}),
]


@pytest.mark.parametrize(("name", "changes"), REFUSED)
def test_what_torch_refuses_jax_refuses_in_the_same_words(name: str, changes: Point) -> None:
    words = []
    for framework in ("torch", "jax"):
        with pytest.raises(HarnessError) as caught:
            class_of(framework, name)().setup(
                Kit(framework).problem, default_point(name, **changes)
            )
        words.append(str(caught.value))
    assert words[0] == words[1]


@pytest.mark.system
@pytest.mark.parametrize(
    ("framework", "name", "changes", "forward"),
    [
        ("torch", "hessian_free", {"damping": 20.0, "cg_iterations": 1}, 4),
        ("jax", "hessian_free", {"damping": 20.0, "cg_iterations": 1}, 4),
        ("torch", "paper_kfac", {"damping": 10.0, "refresh_every": 1}, 6),
    ],
)
def test_nothing_is_computed_twice(framework: str, name: str, changes: Point, forward: int) -> None:
    """The passes of f, of the linearisation or the factors, of each product and of each trial."""
    kit = Kit(framework)
    ours = class_of(framework, name)()
    ours.setup(kit.problem, default_point(name, **changes))
    kit.problem.reset_counts()
    ours.step(kit.stream())
    assert kit.problem.counts["forward"] == forward


@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize("rule", ["elastic", "downpour"])
def test_pending_updates_are_kept_under_downpour_alone(framework: str, rule: str) -> None:
    ours = class_of(framework, "async_sgd")()
    ours.setup(Kit(framework).problem, default_point("async_sgd", rule=rule))
    assert ("pending" in ours.state) is (rule == "downpour")


@pytest.mark.parametrize(
    ("name", "model"), [("newton", "mlp"), ("full_adagrad", "mlp"), ("paper_kfac", "resnet")]
)
def test_a_model_that_torch_refuses_jax_refuses(name: str, model: str) -> None:
    problem = WorkloadKit("jax", name=model).problem
    with pytest.raises(HarnessError, match=f"{name} (computes|keeps|supports)"):
        class_of("jax", name)().setup(problem, default_point(name))


def test_the_jacobians_side_of_dfw_is_refused_in_jax() -> None:
    with pytest.raises(HarnessError, match=r"'jacobian'(.|\n)*allowed in jax: 'identity'"):
        class_of("jax", "dfw")().setup(
            Kit("jax").problem, default_point("dfw", output_side="jacobian")
        )
