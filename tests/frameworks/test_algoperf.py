"""AlgoPerf's submissions, of both generations and both frameworks, on a workload of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.frameworks.examples import ModelSource
from harness.frameworks.problem import ProblemConfig
from harness.submission.algoperf import spec
from harness.worker.state import Flattener, unflatten
from tests.frameworks.algoperf_kit import COMMON, TEXTS, location, weights
from tests.frameworks.kit import HalfSpent, Kit, plain
from tests.frameworks.test_buffers import Normed

GENERATIONS = sorted(TEXTS)
RATE, STEPS, HINT = 0.3, 6, 4
ENTERED = ("algoperf", "algorithmic_efficiency", "algorithms")


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    """What is entered for a submission is gone after its test."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ENTERED]:
        del sys.modules[name]


def kit_of(generation: str) -> Kit:
    kit = Kit(generation.partition("_")[0])
    kit.problem.step_hint = HINT
    return kit


def begun(kit: Kit, folder: Path, generation: str, **point: Any) -> Any:
    return kit.submission(location(folder, TEXTS[generation]), learning_rate=RATE, **point)


def momentum_by_hand(kit: Kit) -> dict[str, np.ndarray]:
    """Heavy-ball momentum with the warm-up of the texts, in numpy on torch's gradients."""
    values = kit.backend.export(kit.problem.parameters)
    velocity = {name: np.zeros_like(value) for name, value in values.items()}
    other = Kit("torch")
    stream = other.stream()
    for step in range(STEPS):
        other.backend.load(other.problem, values)
        batch, rate = stream.next(), RATE * (1 + 2 * min(1.0, step / HINT)) / 3
        other.problem.batch_loss(batch).backward()
        for name, parameter in other.problem.parameters.items():
            velocity[name] = 0.9 * velocity[name] + plain(parameter.grad)
            values[name] = values[name] - np.float32(rate) * velocity[name]
    return values


@pytest.mark.parametrize("generation", GENERATIONS)
def test_it_trains_as_its_rule_says(tmp_path: Path, generation: str) -> None:
    kit = kit_of(generation)
    expected, submission = momentum_by_hand(kit), begun(kit, tmp_path, generation)
    stream = kit.stream()
    for _ in range(STEPS):
        submission.step(stream)
    for name, value in weights(kit, submission).items():
        np.testing.assert_allclose(value, expected[name], atol=5e-6)
    assert kit.problem.counts == {"forward": STEPS, "backward": STEPS, "examples": STEPS * 32}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_restored_it_trains_on_bit_for_bit(tmp_path: Path, generation: str) -> None:
    kit = kit_of(generation)
    submission, stream = begun(kit, tmp_path, generation), kit.stream()
    for _ in range(3):
        submission.step(stream)
    flattener = Flattener(kit.backend.to_host)
    text = flattener.text(submission.state_dict())
    tensors = {name: array.copy() for name, array in flattener.tensors.items()}
    submission.step(stream)
    expected = weights(kit, submission)
    other = kit_of(generation)
    resumed, again = begun(other, tmp_path, generation), other.stream()
    resumed.load_state_dict(unflatten(text, tensors, other.backend.from_host))
    again.seek(3 * 32)
    resumed.step(again)
    for name, value in weights(other, resumed).items():
        np.testing.assert_array_equal(value, expected[name])


def test_its_modules_are_there_for_it_alone(tmp_path: Path) -> None:
    assert not {"algoperf", "algorithmic_efficiency"} & sys.modules.keys()
    begun(kit_of("torch"), tmp_path, "torch")
    assert sys.modules["algoperf.spec"].ForwardPassMode is spec.ForwardPassMode


PREPARED = (
    COMMON.format(package="algoperf")
    + """
calls = []


def init_optimizer_state(workload, model_params, model_state, hyperparameters, rng):
    return {"count": 0}


def update_params(workload, current_param_container, current_params_types, model_state,
                  hyperparameters, batch, loss_type, optimizer_state, eval_results,
                  global_step, rng, train_state):
    calls.append(("update", global_step, optimizer_state["count"], dict(train_state)))
    if global_step == 2:
        raise spec.TrainingCompleteError
    return {"count": optimizer_state["count"] + 1}, current_param_container, model_state


def prepare_for_eval(workload, current_param_container, current_params_types, model_state,
                     hyperparameters, loss_type, optimizer_state, eval_results, global_step, rng):
    calls.append(("prepare", global_step, optimizer_state["count"]))
    return {"count": optimizer_state["count"] + 10}, current_param_container, model_state
"""
)


def prepared(kit: Kit, folder: Path) -> tuple[Any, list[tuple[Any, ...]]]:
    text = f"import {kit.framework}\n" + PREPARED
    submission = kit.submission(location(folder, text))
    return submission, submission._module.calls


def test_an_evaluation_is_prepared_once_after_an_update_which_goes_on_from_it(
    kit: Kit, tmp_path: Path
) -> None:
    submission, calls = prepared(kit, tmp_path)
    stream = kit.stream()
    submission.eval_parameters()
    submission.step(stream)
    submission.eval_parameters()
    submission.eval_parameters()
    submission.step(stream)
    assert [call[:3] for call in calls] == [("update", 0, 0), ("prepare", 1, 1), ("update", 1, 11)]


def test_after_its_training_is_complete_no_update_is_made(kit: Kit, tmp_path: Path) -> None:
    submission, calls = prepared(kit, tmp_path)
    stream = kit.stream()
    for _ in range(5):
        submission.step(stream)
    assert len(calls) == 3
    assert submission.eval_parameters().keys() == kit.problem.specs.keys()


def test_it_is_told_how_much_of_the_budget_is_spent(kit: Kit, tmp_path: Path) -> None:
    kit.problem.budget_s = 40.0
    submission, calls = prepared(kit, tmp_path)
    submission.step(kit.stream())
    assert calls[0][3]["accumulated_submission_time"] == pytest.approx(20.0)
    assert submission._workload.max_allowed_runtime_sec == 40.0


def test_the_workload_has_the_facts_under_algoperfs_names(kit: Kit, tmp_path: Path) -> None:
    workload = prepared(kit, tmp_path)[0]._workload
    shapes = {name: shape.shape_tuple for name, shape in workload.param_shapes.items()}
    assert shapes == {name: one.shape for name, one in kit.problem.specs.items()}
    assert workload.loss_type is spec.LossType.SOFTMAX_CROSS_ENTROPY
    assert workload.num_train_examples == 200
    assert workload.metrics_logger is None
    assert workload.model_params_types["output.weight"] is spec.ParameterType.WEIGHT
    assert workload.model_params_types["output.bias"] is spec.ParameterType.BIAS
    assert [workload.is_output_params(n) for n in ("output.weight", "hidden_1.weight")] == [1, 0]


def test_a_missing_hyperparameter_is_named_with_the_way_to_give_it(tmp_path: Path) -> None:
    kit = kit_of("torch")
    with pytest.raises(AttributeError, match=r"no hyperparameter 'learning_rate'.*--space"):
        kit.submission(location(tmp_path, TEXTS["torch"]))


def test_pytorch_setup_gives_the_trials_device(tmp_path: Path) -> None:
    submission = begun(kit_of("torch"), tmp_path, "torch")
    assert submission._problem.device == submission._module.DEVICE
    assert submission._module.pytorch_setup()[0] is False


def test_a_submission_imports_its_own_files_by_a_repositorys_path(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("from submissions.anyones.place.deep import steps")
    (tmp_path / "deep.py").write_text("steps = deep = 5")
    own = "from submissions.anyones.place.helper import steps\nimport algorithms.x.deep as deep\n"
    own += "from submissions.anyones.place.deep import deep as same\n"
    submission = kit_of("torch").submission(
        location(tmp_path, own + TEXTS["torch"]), learning_rate=RATE
    )
    assert submission._module.steps == submission._module.deep.steps == submission._module.same == 5


def test_a_file_without_algoperfs_functions_is_refused(kit: Kit, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no function init_optimizer_state and no update_params"):
        kit.submission(location(tmp_path, COMMON.format(package="algoperf")))


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_running_statistics_move_only_if_they_are_to(framework: str, tmp_path: Path) -> None:
    normed = Normed(framework)
    bridge = bridge_of(framework)
    workload, container, state = bridge.begin(normed.problem, {})
    assert spec.ParameterType.BATCH_NORM_SCALE in workload.model_params_types.values()
    batch, before = bridge.batch(normed.stream.next()), normed.buffers()
    for moves in (False, True):
        _, state = workload.model_fn(
            container, batch, state, spec.ForwardPassMode.TRAIN, bridge.random(1)[1], moves
        )
        bridge.updated(container, state)
        same = [np.array_equal(before[n], value) for n, value in normed.buffers().items()]
        assert all(same) if not moves else not any(same)


def bridge_of(framework: str) -> Any:
    if framework == "torch":
        from harness.frameworks.torch.algoperf import TorchBridge

        return TorchBridge()
    from harness.frameworks.jax.algoperf import JaxBridge

    return JaxBridge(has_device_axis=False)


def test_smoothed_and_masked_losses_are_torchs(kit: Kit) -> None:
    import torch

    workload = bridge_of(kit.framework).begin(kit.problem, {})[0]
    random = np.random.default_rng(0)
    logits = random.standard_normal((8, 3, 5)).astype(np.float32)
    labels, mask = (np.arange(24) % 5).reshape(8, 3), np.arange(8) < 6
    array = torch.from_numpy if kit.framework == "torch" else __import__("jax").numpy.asarray
    losses = workload.loss_fn(array(labels), array(logits), array(mask), label_smoothing=0.2)
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits.reshape(24, 5)), torch.from_numpy(labels.reshape(24)),
        reduction="none", label_smoothing=0.2,
    ).numpy().reshape(8, 3) * mask[:, None]  # fmt: skip
    np.testing.assert_allclose(plain(losses["per_example"]), expected, rtol=1e-5)
    np.testing.assert_allclose(float(losses["summed"]), expected.sum(), rtol=1e-5)
    assert float(losses["n_valid_examples"]) == 18


RNN = ModelSource(
    "workloads.rnn",
    {"classes": 7, "embedding": 4, "hidden": 6, "dropout": 0.0},
    "cross_entropy",
    "float32",
)


RATES = pytest.mark.parametrize(
    ("passed", "point", "drops"),
    [
        (0.5, {}, True),
        (0.0, {"dropout_rate": 0.5}, False),
        (None, {"dropout_rate": 0.5}, True),
        (None, {}, False),
    ],
)
TRAIN = spec.ForwardPassMode.TRAIN


@RATES
def test_dropout_is_applied_where_a_torch_model_has_it(
    torch_kit: Kit, passed: float | None, point: dict[str, float], drops: bool
) -> None:
    import torch

    problem = torch_kit.backend.problem(ProblemConfig(RNN, HalfSpent(), 2, 2, 1))
    start = {name: np.full(one.shape, 0.5, np.float32) for name, one in problem.specs.items()}
    torch_kit.backend.load(problem, start)
    workload, model, _ = bridge_of("torch").begin(problem, point)
    batch = {"inputs": torch.arange(12).reshape(2, 6) % 7}
    one, other = (workload.model_fn(model, batch, None, TRAIN, None, True, passed) for _ in "ab")
    assert torch.equal(one[0], other[0]) is not drops
    one[0].sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@RATES
def test_dropout_is_applied_where_a_jax_model_has_it(
    jax_kit: Kit, passed: float | None, point: dict[str, float], drops: bool
) -> None:
    import jax

    problem = jax_kit.backend.problem(ProblemConfig(RNN, HalfSpent(), 2, 2, 1))
    workload, container, state = bridge_of("jax").begin(problem, point)
    batch = {"inputs": np.zeros((2, 6), int)}
    graph = jax.make_jaxpr(
        lambda key: workload.model_fn(container, batch, state, TRAIN, key, True, passed)[0]
    )(jax.random.PRNGKey(0))
    assert ("random_bits" in str(graph)) is drops


@pytest.mark.parametrize("point", [{"dropout_rate": 0.5}, {}])
def test_a_rate_that_an_update_is_traced_with_is_the_points(
    jax_kit: Kit, point: dict[str, float]
) -> None:
    import jax

    problem = jax_kit.backend.problem(ProblemConfig(RNN, HalfSpent(), 2, 2, 1))
    workload, container, state = bridge_of("jax").begin(problem, point)

    def logits(rate: float) -> Any:
        inputs, key = np.zeros((2, 6), int), jax.random.PRNGKey(0)
        return workload.model_fn(container, {"inputs": inputs}, state, TRAIN, key, True, rate)[0]

    if point:
        assert jax.eval_shape(logits, 0.5).shape == (2, 6, 7)
    else:
        with pytest.raises(HarnessError, match="dropout_rate is an argument of the compiled"):
            jax.eval_shape(logits, 0.5)
