"""Newton and full AdaGrad: explicit matrices over some steps, closed forms, and large models."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import torch

from harness.core.errors import HarnessError
from harness.core.seeds import philox
from harness.frameworks.examples import ModelSource
from harness.frameworks.problem import ProblemConfig
from harness.submission.interface import Batch
from submissions.common.products import Linearisation
from tests.frameworks.kit import SEED, HalfSpent, Kit
from workloads.parameters import initial_parameters
from workloads.probes import model as probe
from workloads.spec import Sizes

from .class_twins import class_of
from .conftest import Measure
from .given_problem import Point, default_point
from .small_problem import DoubleStream, double_kit, gradient, submission, values
from .workload_models import WorkloadKit

CONSTANT: Point = {"schedule": "constant", "warmup": 0.0}
STEPS = 20


@pytest.mark.parametrize("spectrum", ["exact", "absolute"])
def test_newtons_steps_solve_with_the_explicit_hessian(spectrum: str, measure: Measure) -> None:
    kit = double_kit()
    point = {"learning_rate": 0.2, "damping": 0.05, "batch_factor": 2, "curvature_fraction": 0.5}
    ours = submission("newton", kit, **CONSTANT, **point, spectrum=spectrum)
    stream, again = DoubleStream(kit), DoubleStream(kit)
    for _ in range(5):
        batch, before = again.next(64), values(kit)
        part = type(batch)(batch.inputs[:32], batch.targets[:32])
        product = Linearisation(kit.problem, part).hessian()
        rows = [product(row) for row in torch.eye(len(before), dtype=before.dtype)]
        size, basis = np.linalg.eigh(torch.stack(rows).numpy())
        floored = np.maximum(np.abs(size), 0.05) * (np.sign(size) if spectrum == "exact" else 1.0)
        matrix = torch.from_numpy(basis * floored @ basis.T)
        expected = before - 0.2 * torch.linalg.solve(matrix, gradient(kit.problem, batch))
        ours.step(stream)
        assert measure(float((values(kit) - expected).abs().max())) < 1e-9


class Landscape:
    """What stands for the loss of a batch: scipy's Rosenbrock function, or a saddle."""

    def __init__(self, spectrum: str) -> None:
        kit = double_kit()
        self.method = submission("newton", kit, **CONSTANT, damping=1e-12, spectrum=spectrum)

    def step(self, x: np.ndarray, g: np.ndarray, h: np.ndarray) -> np.ndarray:
        solved = self.method._solve(torch.from_numpy(h), torch.from_numpy(g))
        after: np.ndarray = x - np.asarray(solved)
        return after


def test_newton_finds_rosenbrocks_minimum_in_a_few_steps() -> None:
    x, newton = np.array([-1.2, 1.0]), Landscape("exact")
    for _ in range(7):
        x = newton.step(x, scipy.optimize.rosen_der(x), scipy.optimize.rosen_hess(x))
    np.testing.assert_allclose(x, 1.0, atol=1e-9)


@pytest.mark.parametrize(("spectrum", "goes_to_it"), [("exact", True), ("absolute", False)])
def test_exact_steps_go_to_a_saddle_and_absolute_ones_leave_it(
    spectrum: str, goes_to_it: bool
) -> None:
    saddle, x = np.diag([2.0, -1.0]), np.array([1.0, 0.5])
    after = Landscape(spectrum).step(x, saddle @ x, saddle)
    np.testing.assert_allclose(after, [0.0, 0.0] if goes_to_it else [0.0, 1.0], atol=1e-12)


def test_full_adagrad_divides_by_the_root_of_the_summed_outer_products(
    measure: Measure,
) -> None:
    kit = double_kit()
    ours = submission("full_adagrad", kit, **CONSTANT, learning_rate=0.1, epsilon=0.01)
    stream, again = DoubleStream(kit), DoubleStream(kit)
    size = len(values(kit))
    outer = np.zeros((size, size))
    for _ in range(STEPS):
        before, g = values(kit).numpy(), gradient(kit.problem, again.next()).numpy()
        outer += np.outer(g, g)
        root = np.real(scipy.linalg.sqrtm(outer + 1e-14 * np.eye(size)))
        expected = before - 0.1 * np.linalg.solve(0.01 * np.eye(size) + root, g)
        ours.step(stream)
        assert measure(float(np.abs(values(kit).numpy() - expected).max())) < 1e-6


def test_its_first_step_is_the_normalised_gradient() -> None:
    kit = double_kit()
    ours = submission("full_adagrad", kit, **CONSTANT, learning_rate=0.1)
    stream, before = DoubleStream(kit), values(kit)
    g = gradient(kit.problem, DoubleStream(kit).next())
    ours.step(stream)
    torch.testing.assert_close(before - values(kit), 0.1 * g / g.norm(), atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("name", ["newton", "full_adagrad"])
def test_a_model_that_is_too_large_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match=rf"{name} .* numbers for \d+ parameters"):
        submission(name, WorkloadKit("torch", name="mlp"))


class LinearStream:
    """Isotropic inputs and a linear teacher's targets."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.random = np.random.default_rng(0)
        self.teacher = self.random.normal(0, inputs**-0.5, (inputs, outputs))

    def next(self, count: int | None = None) -> Batch[torch.Tensor]:
        inputs = self.random.standard_normal((count or 32, len(self.teacher)))
        arrays = (inputs, inputs @ self.teacher)
        return Batch(*(torch.from_numpy(array.astype(np.float32)) for array in arrays))


@pytest.mark.system
@pytest.mark.parametrize("spectrum", ["exact", "absolute"])
def test_newtons_default_damping_bears_fewer_examples_than_inputs(spectrum: str) -> None:
    """A Hessian of 32 examples of 64 inputs, as on the probe with nothing wrong."""
    sizes: Sizes = {"inputs": 64, "outputs": 16, "gains": [0.1]}
    kit = Kit("torch", ModelSource("workloads.probes", sizes, "squared_error", "float32"))
    problem = kit.backend.problem(ProblemConfig(kit.source, HalfSpent(), 32, 2048, 2**40 + 5))
    start = initial_parameters(probe.parameters(sizes), philox(SEED, "weights"))
    kit.backend.load(problem, start)
    ours, stream = class_of("torch", "newton")(), LinearStream(64, 16)
    ours.setup(problem, default_point("newton", spectrum=spectrum))
    losses = [float(ours.step(stream)) for _ in range(8)]
    assert losses[-1] < 0.3 * losses[0]
