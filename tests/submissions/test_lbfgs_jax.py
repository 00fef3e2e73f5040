"""L-BFGS in JAX: conjugate gradients on a quadratic, a loss that falls, its passes counted."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse.linalg

from harness.providers.registry import submission_folders
from harness.submission.interface import Batch, Evaluation
from submissions.lbfgs.submission_jax import Submission
from tests.frameworks.kit import Kit
from tests.tiers import nightly_but

from .conftest import Measure
from .given_problem import default_point
from .workload_models import SIZES, WorkloadKit

SIZE = 20


class Quadratic:
    """x^T A x / 2 - b^T x, A of condition 30, b drawn from the key, as problem and as stream."""

    batch_size = train_examples = 1
    everywhere = jax.devices("cpu")[0]
    key = jax.random.key(0)

    def __init__(self) -> None:
        random = np.random.default_rng(4)
        basis, _ = np.linalg.qr(random.standard_normal((SIZE, SIZE)))
        self.matrix = (basis * np.logspace(0, 1.5, SIZE)) @ basis.T
        self.parameters = {"x": jnp.zeros(SIZE)}

    def evaluate(
        self, parameters: dict[str, jax.Array], batch: object, random: jax.Array
    ) -> Evaluation[jax.Array]:
        del batch
        x, b = parameters["x"], jax.random.normal(random, (SIZE,))
        return Evaluation(x, 0.5 * x @ jnp.asarray(self.matrix) @ x - b @ x)

    def note_passes(self, *counts: int) -> None:
        """Not looked at here."""

    def next(self, count: int) -> Batch[jax.Array]:
        return Batch(jnp.zeros(count), jnp.zeros(count))


@pytest.mark.system
@pytest.mark.parametrize("iterations", nightly_but([6], [1, 3, 6, 10]))
def test_on_a_quadratic_exact_searches_make_it_conjugate_gradients(
    iterations: int, measure: Measure
) -> None:
    problem: Any = Quadratic()
    ours = Submission()
    exact = {"curvature": 1e-3, "evaluations": 30, "restart_factor": 1}
    ours.setup(problem, default_point("lbfgs", iterations=iterations, **exact))
    ours.step(problem)
    b = np.asarray(jax.random.normal(jax.random.fold_in(problem.key, 1), (SIZE,)))
    theirs, _ = scipy.sparse.linalg.cg(problem.matrix, b, maxiter=iterations, rtol=0.0)
    error = float(np.abs(np.asarray(ours.eval_parameters()["x"]) - theirs).max())
    assert measure(error) < 1e-5


@pytest.mark.nightly
def test_twenty_iterations_lower_the_loss_and_their_passes_are_counted() -> None:
    kit = Kit("jax")
    problem, batch = kit.problem, kit.batch(64)
    point = default_point("lbfgs", iterations=20, restart_factor=1, batch_factor=2)
    ours = kit.submission(submission_folders()["lbfgs"], **point)
    before = float(problem.evaluate(problem.parameters, batch).loss)
    problem.reset_counts()
    assert float(ours.step(kit.stream())) == pytest.approx(before)
    assert problem.counts["backward"] > 20
    assert problem.counts["examples"] == 64 * problem.counts["forward"]
    assert float(problem.evaluate(ours.eval_parameters(), batch).loss) < 0.1 * before


@pytest.mark.nightly
def test_all_passes_of_a_step_have_the_dropout_mask_of_that_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SIZES, "rnn", SIZES["rnn"] | {"dropout": 0.5})
    kit = WorkloadKit("jax", name="rnn")
    point = default_point("lbfgs", iterations=2, restart_factor=1, batch_factor=2)
    ours = kit.submission(submission_folders()["lbfgs"], **point)
    start, stream, again = ours.state_dict(), kit.stream(), kit.stream()
    for number in (1, 2, 1):
        if number == 1:
            ours.load_state_dict(start)
        key, batch = jax.random.fold_in(kit.problem.key, number), again.next(32)
        before = kit.problem.evaluate(ours.eval_parameters(), batch, key).loss
        assert float(ours.step(stream)) == pytest.approx(float(before))
        after = kit.problem.evaluate(ours.eval_parameters(), batch, key).loss
        assert float(after) < float(before)
