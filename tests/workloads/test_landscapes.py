"""Problems without data: their values, gradients and diagnostics against closed forms."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.optimize import rosen, rosen_der

from harness.core.seeds import philox
from harness.plan.plan import PlanRequest, plan
from harness.providers import registry
from workloads.landscapes.noisy_quadratic.model import QuadraticSizes
from workloads.landscapes.representation.diagnostics import diagnostics as representation
from workloads.landscapes.representation.model import RepresentationSizes, truth_of
from workloads.landscapes.rosenbrock.diagnostics import diagnostics as rosenbrock
from workloads.landscapes.single_index.diagnostics import diagnostics as single_index
from workloads.landscapes.single_index.model import SingleIndexSizes
from workloads.landscapes.single_index.model import truth_of as single_index_truth_of
from workloads.parameters import initial_parameters
from workloads.spec import Sizes

SEED = "1" * 32
NAMES = (
    "rosenbrock", "noisy_quadratic", "representation", "single_index", "small_mlp", "separable"
)  # fmt: skip
Splits = dict[str, tuple[np.ndarray, np.ndarray]]


def module(name: str, part: str) -> Any:
    return importlib.import_module(f"workloads.landscapes.{name}.{part}")


def sizes_of(name: str) -> Sizes:
    return registry.workload(name).at("landscapes").sizes


def prepare(name: str, folder: Path) -> Splits:
    """Inputs and targets of the splits of one instance."""
    data = registry.workload(name).at("landscapes").data
    module(name, "data").prepare(data, SEED, folder, None)
    files = ("inputs.npy", "targets.npy")
    return {
        split: (np.load(folder / split / files[0]), np.load(folder / split / files[1]))
        for split in ("train", "validation")
    }


def loss_and_gradients(
    name: str, sizes: Sizes, parameters: dict[str, np.ndarray], inputs: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """The squared error against targets of zero, and its gradients, in torch and float64."""
    model = module(name, "model_torch").build(sizes).double()
    with torch.no_grad():
        for key, value in model.named_parameters():
            value.copy_(torch.tensor(parameters[key]))
    loss = model(torch.tensor(inputs, dtype=torch.float64)).square().mean()
    loss.backward()
    return loss.item(), {key: value.grad.numpy() for key, value in model.named_parameters()}


def start(name: str, sizes: Sizes) -> dict[str, np.ndarray]:
    specs = module(name, "model").parameters(sizes)
    return dict(initial_parameters(specs, philox(SEED, "weights")))


@pytest.mark.parametrize("variant", ["base", "upper_right", "lower_left", "lower_right"])
def test_the_rosenbrock_function_is_scipys(variant: str) -> None:
    sizes = registry.workload("rosenbrock").at("landscapes").sizes_of(variant)
    start_point = np.array([[0.25, -0.125]])
    loss, gradients = loss_and_gradients(
        "rosenbrock", sizes, {"displacement": start_point}, np.zeros((3, 0))
    )
    point = np.array(sizes["start"]) + start_point[0]
    assert loss == pytest.approx(rosen(point))
    assert gradients["displacement"][0] == pytest.approx(rosen_der(point))
    at = rosenbrock({"displacement": start_point.astype(np.float32)}, sizes)
    assert (at["x"], at["y"]) == tuple(point)
    assert at["distance"] == pytest.approx(np.linalg.norm(point - 1.0))


def test_the_quadratics_held_out_loss_is_the_excess(tmp_path: Path) -> None:
    sizes = sizes_of("noisy_quadratic")
    inputs, _ = prepare("noisy_quadratic", tmp_path)["validation"]
    begin = start("noisy_quadratic", sizes)
    loss, gradients = loss_and_gradients("noisy_quadratic", sizes, begin, inputs)
    spectrum = 1.0 / np.arange(1, 101)
    assert loss == pytest.approx(0.5 * (spectrum * begin["point"] ** 2).sum(), rel=1e-5)
    assert gradients["point"] == pytest.approx(spectrum * begin["point"], rel=1e-5)


def test_the_quadratics_gradient_noise_has_the_hessians_shape(tmp_path: Path) -> None:
    sizes = QuadraticSizes(**sizes_of("noisy_quadratic"))
    inputs, _ = prepare("noisy_quadratic", tmp_path)["train"]
    gradients = -sizes.curvatures * sizes.noise_scales * inputs.astype(np.float64)
    assert np.abs(gradients.mean(axis=0)).max() < 1e-6
    covariance = gradients.T @ gradients / len(gradients)
    whitened = covariance / np.sqrt(np.outer(sizes.curvatures, sizes.curvatures))
    # Each entry deviates by 1/sqrt(16384) = 0.008, those on the diagonal by sqrt(2) times that.
    assert np.abs(whitened - np.eye(100)).max() < 6 * 0.011


def test_the_teachers_features_are_at_distance_zero_in_any_basis() -> None:
    sizes = sizes_of("representation")
    truth = truth_of(RepresentationSizes(**sizes))
    mixed = np.random.default_rng(1).standard_normal((8, 8)) @ truth.features
    result = representation({"hidden.weight": mixed.astype(np.float32)}, sizes)
    assert result == pytest.approx({"subspace_distance": 0.0, "transfer_loss": 0.0}, abs=1e-6)


def test_the_subspace_distance_is_the_sine_of_scipys_largest_angle() -> None:
    sizes = sizes_of("representation")
    truth, begin = truth_of(RepresentationSizes(**sizes)), start("representation", sizes)
    angles = subspace_angles(begin["hidden.weight"].T.astype(np.float64), truth.features.T)
    result = representation(begin, sizes)
    assert result["subspace_distance"] == pytest.approx(np.sin(angles.max()))


def test_the_transfer_loss_is_what_least_squares_leaves_of_new_tasks() -> None:
    sizes = sizes_of("representation")
    truth, begin = truth_of(RepresentationSizes(**sizes)), start("representation", sizes)
    random = np.random.default_rng(2)
    observed = random.standard_normal((10_000, 50)) @ truth.mixing.T
    outputs = observed @ truth.features.T @ random.standard_normal((8, 1000))
    features = observed @ begin["hidden.weight"].T
    head, *_ = np.linalg.lstsq(features, outputs, rcond=None)
    left = np.square(outputs - features @ head).sum() / np.square(outputs).sum()
    assert representation(begin, sizes)["transfer_loss"] == pytest.approx(left, rel=0.05)


def test_the_covariance_has_the_declared_condition_number() -> None:
    spectrum = np.linalg.eigvalsh(truth_of(RepresentationSizes(condition=1000.0)).covariance)
    assert spectrum[-1] / spectrum[0] == pytest.approx(1000.0)
    assert spectrum.mean() == pytest.approx(1.0)


def test_batch_norm_normalises_the_features_as_torchs_does(tmp_path: Path) -> None:
    sizes = registry.workload("representation").at("landscapes").sizes_of("batch_norm")
    inputs = torch.tensor(prepare("representation", tmp_path)["train"][0][:64])
    model = module("representation", "model_torch").build(sizes)
    plain = module("representation", "model_torch").build({**sizes, "has_batch_norm": False})
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if "norm" not in k})
    reference = torch.nn.BatchNorm1d(8)
    plain.hidden = torch.nn.Sequential(plain.hidden, reference)
    assert torch.allclose(model(inputs), plain(inputs), atol=1e-5)
    assert reference.running_var is not None
    assert torch.allclose(model.norm.running_var, reference.running_var)
    assert torch.allclose(model.eval()(inputs), plain.eval()(inputs), atol=1e-5)


def test_batch_norm_is_the_same_in_jax_with_the_batchs_moments_and_with_running_ones(
    tmp_path: Path,
) -> None:
    sizes = registry.workload("representation").at("landscapes").sizes_of("batch_norm")
    inputs = prepare("representation", tmp_path)["train"][0][:64]
    weights = start("representation", sizes)
    model = module("representation", "model_torch").build(sizes)
    outputs = torch.func.functional_call(
        model, {key: torch.tensor(value) for key, value in weights.items()}, torch.tensor(inputs)
    )
    forward = module("representation", "model_jax").build(sizes)
    result = forward(weights, inputs)
    assert np.asarray(result.logits) == pytest.approx(outputs.detach().numpy(), abs=1e-4)
    running = {name: 0.25 + 0.5 * np.asarray(v) for name, v in result.statistics.items()}
    model.load_state_dict({k: torch.tensor(v) for k, v in {**weights, **running}.items()})
    evaluated = np.asarray(forward(weights, inputs, buffers=running).logits)
    expected = model.eval()(torch.tensor(inputs)).detach().numpy()
    assert evaluated == pytest.approx(expected, abs=1e-4)


def test_a_student_of_one_unit_along_the_direction_is_at_distance_zero() -> None:
    sizes = sizes_of("single_index")
    truth = single_index_truth_of(SingleIndexSizes(**sizes))
    hidden = 3.0 * truth.direction[None].astype(np.float32)
    weights = {"hidden.weight": hidden, "output.weight": np.ones((1, 1), np.float32)}
    assert single_index(weights, sizes)["direction_distance"] == pytest.approx(0.0, abs=1e-6)


def test_the_students_direction_is_that_of_its_gradients_by_torch(tmp_path: Path) -> None:
    sizes = sizes_of("single_index")
    truth, weights = single_index_truth_of(SingleIndexSizes(**sizes)), start("single_index", sizes)
    draws = np.random.default_rng(3).standard_normal((20_000, 50)) @ truth.mixing.T
    examples = torch.tensor(draws, requires_grad=True)
    hidden, output = (torch.tensor(weights[f"{n}.weight"]).double() for n in ("hidden", "output"))
    ((examples @ hidden.T).relu() @ output.T).sum().backward()
    assert examples.grad is not None
    gradients = examples.grad.numpy()
    *_, leading = np.linalg.eigh(gradients.T @ gradients)[1].T
    sine = np.sqrt(1.0 - (leading @ truth.direction) ** 2)
    assert single_index(weights, sizes)["direction_distance"] == pytest.approx(sine, abs=0.01)


def test_the_teacher_itself_has_no_held_out_loss(tmp_path: Path) -> None:
    sizes = sizes_of("single_index")
    truth = single_index_truth_of(SingleIndexSizes(**sizes))
    scale = np.linalg.norm(truth.direction @ truth.mixing)
    weights = {
        "hidden.weight": np.vstack([truth.direction / scale, np.zeros((31, 50))]),
        "output.weight": np.eye(1, 32),
    }
    inputs, _ = prepare("single_index", tmp_path)["validation"]
    assert loss_and_gradients("single_index", sizes, weights, inputs)[0] == pytest.approx(0.0)


def logits(name: str, sizes: Sizes, weights: dict[str, np.ndarray], inputs: np.ndarray) -> Any:
    """Those of a classifier in torch, as a tensor whose graph leads to the weights."""
    model = module(name, "model_torch").build(sizes)
    with torch.no_grad():
        for key, value in model.named_parameters():
            value.copy_(torch.tensor(weights[key]))
    return model(torch.tensor(inputs)), dict(model.named_parameters())


def test_signs_of_the_separable_examples_fit_all_and_call_the_new_ones_positive(
    tmp_path: Path,
) -> None:
    splits = prepare("separable", tmp_path)
    (inputs, targets), (unseen, outputs) = splits["train"], splits["validation"]
    y = 2.0 * targets - 1.0
    signs = np.sign(inputs.T @ y)
    assert inputs @ signs == pytest.approx(4.0 * y)
    assert (unseen @ signs > 0).all()
    assert outputs.mean() == pytest.approx(0.6)
    least, *_ = np.linalg.lstsq(inputs, y, rcond=None)  # where gradient descent ends
    assert (np.sign(unseen @ least) == 2.0 * outputs - 1.0).all()


def test_scales_of_the_small_mlp_keep_the_start_and_multiply_gradients(tmp_path: Path) -> None:
    inputs = prepare("small_mlp", tmp_path)["train"][0][:50]
    of = registry.workload("small_mlp").at("landscapes").sizes_of
    result = {}
    for variant in ("base", "blocks_10"):
        outputs, weights = logits("small_mlp", of(variant), start("small_mlp", of(variant)), inputs)
        outputs.square().sum().backward()
        result[variant] = outputs, weights
    assert torch.allclose(result["base"][0], result["blocks_10"][0], atol=1e-5)
    for name, scale in (("hidden_1", 0.1), ("hidden_2", 1.0), ("output", 10.0)):
        base, scaled = (result[v][1][f"{name}.weight"].grad for v in ("base", "blocks_10"))
        assert torch.allclose(scale * base, scaled, rtol=1e-3, atol=1e-4)


def test_the_norm_of_a_normalised_weight_does_not_matter(tmp_path: Path) -> None:
    inputs = prepare("small_mlp", tmp_path)["train"][0][:50]
    sizes = registry.workload("small_mlp").at("landscapes").sizes_of("normalised")
    begin = start("small_mlp", sizes)
    longer = {**begin, "hidden_2.weight": 3.0 * begin["hidden_2.weight"]}
    first, _ = logits("small_mlp", sizes, begin, inputs)
    assert torch.allclose(first, logits("small_mlp", sizes, longer, inputs)[0], atol=1e-4)
    is_normalised = {
        s.name: s.is_normalised for s in module("small_mlp", "model").parameters(sizes)
    }
    assert is_normalised["hidden_2.weight"] and not is_normalised["output.weight"]


def test_a_tenth_of_the_training_labels_is_drawn_anew(tmp_path: Path) -> None:
    data = registry.workload("small_mlp").at("landscapes").data
    assert data is not None
    clean = data.model_copy(update={"settings": {**data.settings, "label_noise": 0.0}})
    labels = {}
    for name, data_kind in (("noisy", data), ("clean", clean)):
        module("small_mlp", "data").prepare(data_kind, SEED, tmp_path / name, None)
        labels[name] = np.load(tmp_path / name / "train" / "targets.npy")
    # A label that is drawn anew is right in a tenth of the cases.
    assert (labels["noisy"] != labels["clean"]).mean() == pytest.approx(0.09, abs=0.01)
    counts = np.bincount(labels["clean"], minlength=10) / len(labels["clean"])
    assert counts.min() > 0.02 and counts.max() < 0.25


@pytest.mark.parametrize(
    ("name", "variant"),
    [*((name, "base") for name in NAMES), ("small_mlp", "normalised"), ("small_mlp", "blocks_3")],
)
def test_both_frameworks_return_the_same(name: str, variant: str, tmp_path: Path) -> None:
    sizes = registry.workload(name).at("landscapes").sizes_of(variant)
    begin = start(name, sizes)
    inputs = prepare(name, tmp_path)["train"][0][:5]
    parameters = {key: value + np.float32(0.125) for key, value in begin.items()}
    forward = module(name, "model_jax").build(sizes)
    mine = np.asarray(forward(parameters, inputs).logits)
    model = module(name, "model_torch").build(sizes)
    values = {key: torch.tensor(value) for key, value in parameters.items()}
    other = torch.func.functional_call(model, values, (torch.tensor(inputs),))
    outputs = (
        (sizes["classes"],) if "classes" in sizes else prepare(name, tmp_path)["train"][1].shape[1:]
    )
    assert mine.shape == (5, *outputs)
    assert mine == pytest.approx(other.numpy(), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_its_trials_are_counted_in_steps_and_not_scored(name: str) -> None:
    own_plan = plan(PlanRequest(name, "sgd", "landscapes"))
    steps = registry.workload(name).at("landscapes").budget.steps
    assert {trial.budget.steps for trial in own_plan.trials} == {steps}
    assert not any(trial.is_scored for trial in own_plan.trials)
    assert "unscored: suite landscapes counts steps, not seconds" in own_plan.remarks


def test_a_suite_of_its_own_is_found_by_its_workloads() -> None:
    assert not set(NAMES) & set(registry.suite("quick").workloads)
    assert registry.default_suite(["rosenbrock"]) == "landscapes"
    assert registry.default_suite(["rosenbrock", "mlp"]) == "quick"
    assert registry.default_suite([]) == "quick"
