from pathlib import Path
from textwrap import dedent

import jax
import numpy as np
import optax
import optax.contrib
import pytest

from harness.core.errors import HarnessError
from harness.submission.read_point import ReadPoint
from tests.frameworks.kit import Kit
from tests.tiers import nightly_but


def write(folder: Path, text: str) -> Path:
    (folder / "submission_jax.py").write_text(dedent(text))
    return folder


@pytest.mark.parametrize("name", nightly_but(["sgd"], ["adamw", "lbfgs", "sgd"]))
def test_an_optax_function_trains_by_import_path(jax_kit: Kit, name: str) -> None:
    submission = jax_kit.train(f"optax:{name}", 20, learning_rate=0.1, weight_decay=1e-4)
    assert submission.learning_rate() == 0.1
    assert jax_kit.problem.counts == {"forward": 20, "backward": 20, "examples": 20 * 32}


@pytest.mark.system
def test_the_import_path_does_what_a_hand_written_loop_does(jax_kit: Kit) -> None:
    submission = jax_kit.train("optax:adamw", 5, learning_rate=0.01, weight_decay=0.1)
    other = Kit("jax")
    values, stream = other.problem.parameters, other.stream()
    transformation = optax.adamw(0.01, weight_decay=0.1)
    state, update = transformation.init(values), jax.jit(transformation.update)
    for _ in range(5):
        _, gradients = other.problem.value_and_grad(values, stream.next())
        updates, state = update(gradients, state, values)
        values = optax.apply_updates(values, updates)
    for name, value in submission.eval_parameters().items():
        np.testing.assert_allclose(value, values[name], atol=1e-6)


def test_a_schedule_multiplies_the_whole_update(jax_kit: Kit, tmp_path: Path) -> None:
    text = """
        import optax

        def build(problem, hyperparameters):
            return optax.sgd(hyperparameters["learning_rate"]), lambda fraction: fraction / 2
    """
    before = jax_kit.backend.export(jax_kit.problem.parameters)
    submission = jax_kit.submission(write(tmp_path, text), learning_rate=0.4, horizon=1.0)
    batch = jax_kit.batch()
    submission.step(jax_kit.stream())
    _, gradients = jax_kit.problem.value_and_grad(jax_kit.problem.parameters, batch)
    assert submission.learning_rate() == 0.4 * 0.25
    for name, value in submission.eval_parameters().items():
        np.testing.assert_allclose(value, before[name] - 0.1 * gradients[name], atol=1e-6)


CLASS = """
    import jax

    class Submission:
        def setup(self, problem, hyperparameters):
            self.problem = problem
            self.average = problem.parameters

        def step(self, stream):
            problem = self.problem
            loss, gradients = problem.value_and_grad(problem.parameters, stream.next())
            problem.parameters = jax.tree.map(
                lambda v, g: v - 0.1 * g, problem.parameters, gradients
            )
            self.average = jax.tree.map(
                lambda a, v: (a + v) / 2, self.average, problem.parameters
            )
            return loss
"""
EVAL = """
        def eval_parameters(self):
            return self.average
"""


def test_a_class_with_only_setup_and_step(jax_kit: Kit, tmp_path: Path) -> None:
    submission = jax_kit.train(write(tmp_path, CLASS), 20)
    assert submission.eval_parameters() is jax_kit.problem.parameters
    assert submission.learning_rate() is None
    with pytest.raises(HarnessError, match="Submission has no state_dict"):
        submission.state_dict()


def test_averaged_weights_are_what_is_evaluated(jax_kit: Kit, tmp_path: Path) -> None:
    submission = jax_kit.train(write(tmp_path, CLASS + EVAL), 20)
    values = jax_kit.backend.export(submission.eval_parameters())
    live = jax_kit.backend.export(jax_kit.problem.parameters)
    assert all((values[name] != live[name]).any() for name in live)
    np.testing.assert_allclose(values["output.bias"], live["output.bias"], atol=0.05)


def test_a_restored_state_trains_on_the_same(jax_kit: Kit) -> None:
    submission, stream = jax_kit.train("optax:adamw", 5, learning_rate=0.05), jax_kit.stream()
    state = submission.state_dict()
    submission.step(stream)
    resumed = Kit("jax")
    again = resumed.submission("optax:adamw", learning_rate=0.05)
    again.load_state_dict(state)
    again.step(resumed.stream())
    for name, value in submission.eval_parameters().items():
        np.testing.assert_array_equal(again.eval_parameters()[name], value)


COMPILED = "/jax/core/compile/backend_compile_duration"


def test_only_the_first_step_compiles(jax_kit: Kit) -> None:
    compiled: list[float] = []

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == COMPILED:
            compiled.append(duration_secs)

    submission, stream = jax_kit.submission("optax:adamw", learning_rate=0.01), jax_kit.stream()
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        submission.step(stream)
        assert len(compiled) == 1
        for _ in range(20):
            submission.step(stream)
        assert len(compiled) == 1
    finally:
        jax.monitoring.clear_event_listeners()


@pytest.mark.system
def test_optaxs_schedule_free_is_evaluated_at_its_average(jax_kit: Kit) -> None:
    submission = jax_kit.train("optax.contrib:schedule_free_sgd", 10, learning_rate=0.1)
    state = submission._state
    average = optax.contrib.schedule_free_eval_params(state, submission._parameters)
    assert submission.averages_weights
    for name, value in submission.eval_parameters().items():
        np.testing.assert_allclose(value, average[name], atol=1e-6)
        assert not np.allclose(value, submission._parameters[name], atol=1e-6)


def test_a_function_behind_a_dot_is_found(jax_kit: Kit) -> None:
    jax_kit.train("optax:contrib.schedule_free_sgd", 5, learning_rate=0.1)


def test_a_point_whose_reads_are_noted_may_be_traced() -> None:
    point = ReadPoint({"rate": 0.5, "momentum": 0.25})
    assert float(jax.jit(lambda traced: traced["rate"] + traced["momentum"])(point)) == 0.75


@pytest.mark.system
def test_an_estimate_of_the_hessian_gets_the_loss(jax_kit: Kit) -> None:
    jax_kit.train("optax.contrib:sophia", 20, learning_rate=0.05)
