"""AlgoPerf's submissions, of both generations and both frameworks, on a workload of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.submission.algoperf import spec
from harness.submission.files import write_copy
from harness.submission.planned import locate, worker_paths
from harness.submission.resolution import resolve
from harness.worker.state import Flattener, unflatten
from tests.frameworks.algoperf_kit import COMMON, TEXTS, location, weights
from tests.frameworks.kit import Kit, plain

GENERATIONS = sorted(TEXTS)
RATE, STEPS, HINT = 0.3, 6, 4
ENTERED = ("algoperf", "algorithmic_efficiency", "algorithms")


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    """What is entered for a submission is gone after its test."""
    finders = [*sys.meta_path]
    yield
    sys.meta_path[:] = finders
    for name in [name for name in sys.modules if name.partition(".")[0] in ENTERED]:
        del sys.modules[name]


def kit_of(generation: str) -> Kit:
    kit = Kit(generation.partition("_")[0])
    kit.problem.step_hint = HINT
    return kit


def begin(kit: Kit, folder: Path, generation: str, **point: object) -> Any:
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


@pytest.mark.system
@pytest.mark.parametrize("generation", GENERATIONS)
def test_it_trains_as_its_rule_says(tmp_path: Path, generation: str) -> None:
    kit = kit_of(generation)
    expected, submission = momentum_by_hand(kit), begin(kit, tmp_path, generation)
    stream = kit.stream()
    for _ in range(STEPS):
        submission.step(stream)
    for name, value in weights(kit, submission).items():
        np.testing.assert_allclose(value, expected[name], atol=5e-6)
    assert kit.problem.counts == {"forward": STEPS, "backward": STEPS, "examples": STEPS * 32}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_restored_it_trains_on_bit_for_bit(tmp_path: Path, generation: str) -> None:
    kit = kit_of(generation)
    submission, stream = begin(kit, tmp_path, generation), kit.stream()
    for _ in range(3):
        submission.step(stream)
    flattener = Flattener(kit.backend.to_host)
    text = flattener.text(submission.state_dict())
    tensors = {name: array.copy() for name, array in flattener.tensors.items()}
    submission.step(stream)
    expected = weights(kit, submission)
    other = kit_of(generation)
    resumed, again = begin(other, tmp_path, generation), other.stream()
    resumed.load_state_dict(unflatten(text, tensors, other.backend.from_host))
    again.seek(3 * 32)
    resumed.step(again)
    for name, value in weights(other, resumed).items():
        np.testing.assert_array_equal(value, expected[name])


NESTED = """
class Nested(torch.optim.Optimizer):
    def __init__(self, params, **settings):
        super().__init__(params, settings)
        self.inner = torch.optim.SGD(self.param_groups, **settings)
        self.param_groups = self.inner.param_groups

    def step(self, closure=None):
        self.inner.step()
"""


def test_state_that_an_optimizer_would_lose_is_not_taken_for_all(tmp_path: Path) -> None:
    kit, text = kit_of("torch"), TEXTS["torch"].replace("torch.optim.SGD(", "Nested(")
    submission = kit.submission(location(tmp_path, text + NESTED), learning_rate=RATE)
    submission.step(kit.stream())
    with pytest.raises(HarnessError, match="Nested has the attribute 'inner'"):
        submission.state_dict()


def test_its_modules_are_there_for_it_alone(tmp_path: Path) -> None:
    assert not {"algoperf", "algorithmic_efficiency"} & sys.modules.keys()
    begin(kit_of("torch"), tmp_path, "torch")
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


def prepare(kit: Kit, folder: Path) -> tuple[Any, list[tuple[Any, ...]]]:
    text = f"import {kit.framework}\n" + PREPARED
    submission = kit.submission(location(folder, text))
    return submission, submission._module.calls


def test_an_evaluation_is_prepared_once_after_an_update_which_goes_on_from_it(
    kit: Kit, tmp_path: Path
) -> None:
    submission, calls = prepare(kit, tmp_path)
    stream = kit.stream()
    submission.eval_parameters()
    submission.step(stream)
    submission.eval_parameters()
    submission.eval_parameters()
    submission.step(stream)
    assert [call[:3] for call in calls] == [("update", 0, 0), ("prepare", 1, 1), ("update", 1, 11)]


def test_after_its_training_is_complete_no_update_is_made(kit: Kit, tmp_path: Path) -> None:
    submission, calls = prepare(kit, tmp_path)
    stream = kit.stream()
    for _ in range(5):
        submission.step(stream)
    assert len(calls) == 3
    assert submission.eval_parameters().keys() == kit.problem.specs.keys()


def test_it_is_told_how_much_of_the_budget_is_spent(kit: Kit, tmp_path: Path) -> None:
    kit.problem.budget_s = 40.0
    submission, calls = prepare(kit, tmp_path)
    submission.step(kit.stream())
    assert calls[0][3]["accumulated_submission_time"] == pytest.approx(20.0)
    assert submission._workload.max_allowed_runtime_sec == 40.0


def test_the_workload_has_the_facts_under_algoperfs_names(kit: Kit, tmp_path: Path) -> None:
    workload = prepare(kit, tmp_path)[0]._workload
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
    submission = begin(kit_of("torch"), tmp_path, "torch")
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


def test_a_submission_imports_packages_of_its_own_folder_and_of_one_beside_it(
    tmp_path: Path,
) -> None:
    """As if its folder, the package's and the one above were on the path; a file is one module."""
    folder, beside = tmp_path / "above" / "mine", tmp_path / "above" / "gd_shared"
    for package in (folder / "gd_optimizers" / "inner", beside):
        package.mkdir(parents=True)
    (folder / "gd_optimizers" / "__init__.py").write_text("count = 1")
    (folder / "gd_optimizers" / "inner" / "five.py").write_text(
        "from all.published.mine.gd_optimizers.four import four, C\nfive = four + 1\n"
    )
    (folder / "gd_optimizers" / "four.py").write_text(
        "from . import count\nfour = count + 3\nclass C: ..."
    )
    (folder / "gd_optimizers" / "seven.py").write_text(
        "import inner.five, gd_four\nfrom four import C\nassert inner.five.C is C is gd_four.C"
    )
    (folder / "gd_optimizers" / "gd_four.py").write_text("from gd_optimizers.four import C")
    (beside / "six.py").write_text("from gd_optimizers.inner.five import five\nsix = five + 1")
    own = "import gd_optimizers.seven\nfrom gd_optimizers.inner.five import five\n"
    own += "from gd_shared.six import six\n"
    text = location(folder, own + TEXTS["torch"])
    (tmp_path / "copy").mkdir()
    write_copy((found := resolve(text)).contents, tmp_path / "copy")
    where, _ = worker_paths(locate(found.ref, "torch"), tmp_path / "copy")
    module = kit_of("torch").submission(where, learning_rate=RATE)._module
    assert (module.five, module.six) == (5, 6)


def test_a_file_without_algoperfs_functions_is_refused(kit: Kit, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no function init_optimizer_state and no update_params"):
        kit.submission(location(tmp_path, COMMON.format(package="algoperf")))
