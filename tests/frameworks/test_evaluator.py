import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from harness.core.errors import HarnessError, UnknownNameError
from harness.frameworks.examples import EvalConfig, Examples, Parameters
from harness.frameworks.load import evaluation_backend
from harness.frameworks.metrics import concatenate
from harness.frameworks.order import Order
from tests.frameworks.kit import SIZES, SOURCE, Kit, examples, parameters

LARGE = examples(5000)
"""More than one evaluation batch, and no multiple of one."""


def evaluator(kit: Kit) -> Any:
    return evaluation_backend(kit.framework, "cpu", 1).evaluator(
        SOURCE, {"validation": LARGE}, examples(64), EvalConfig(4096)
    )


def logits_by_hand(inputs: np.ndarray) -> np.ndarray:
    values, weights = inputs.astype(np.float64), parameters()
    for name in ("hidden_1", "hidden_2", "output"):
        values = values @ weights[f"{name}.weight"].T.astype(np.float64) + weights[f"{name}.bias"]
        values = values if name == "output" else np.tanh(values)
    return values


def losses_by_hand(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    logits = logits_by_hand(inputs)
    losses: np.ndarray = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(targets)), targets]
    return losses


def test_metrics_are_those_computed_by_hand(kit: Kit) -> None:
    metrics = evaluator(kit).metrics(parameters(), "validation")
    hits = logits_by_hand(LARGE.inputs).argmax(1) == LARGE.targets
    assert metrics["accuracy"] == hits.mean()
    expected = losses_by_hand(LARGE.inputs, LARGE.targets).mean()
    assert metrics["loss"] == pytest.approx(expected, rel=1e-6)


def test_probe_is_loss_and_gradient_norm_of_the_fixed_batch(kit: Kit) -> None:
    probe = evaluator(kit).probe(parameters())
    fixed = examples(64)
    expected = losses_by_hand(fixed.inputs, fixed.targets).mean()
    assert probe["loss"] == pytest.approx(expected, rel=1e-6)
    batch = kit.backend.stream(fixed, cast(Order, _InOrder()), 64).next()
    if kit.framework == "jax":
        gradients = kit.problem.value_and_grad(kit.problem.parameters, batch)[1]
    else:
        kit.problem.batch_loss(batch).backward()
        gradients = {n: value.grad for n, value in kit.problem.parameters.items()}
    norm = np.sqrt(sum(np.square(np.asarray(g)).sum() for g in gradients.values()))
    assert probe["gradient_norm"] == pytest.approx(norm, rel=1e-5)


class _InOrder:
    """An order that changes nothing."""

    examples = 64

    def epoch(self, number: int) -> np.ndarray:
        return np.arange(64)

    def slice(self, position: int, count: int) -> np.ndarray:
        return np.arange(position, position + count) % 64


def test_both_frameworks_agree(torch_kit: Kit, jax_kit: Kit) -> None:
    mine, other = evaluator(torch_kit), evaluator(jax_kit)
    metrics, others = (
        mine.metrics(parameters(), "validation"),
        other.metrics(parameters(), "validation"),
    )
    assert metrics == pytest.approx(others, rel=1e-6)
    assert mine.probe(parameters()) == pytest.approx(other.probe(parameters()), rel=1e-5)


def test_evaluating_leaves_the_evaluator_as_it_was(kit: Kit) -> None:
    subject = evaluator(kit)
    first = subject.metrics(parameters(), "validation")
    subject.metrics({name: 2 * value for name, value in parameters().items()}, "validation")
    subject.probe(parameters())
    assert subject.metrics(parameters(), "validation") == first


def test_diverged_parameters_give_a_loss_that_is_not_finite(kit: Kit) -> None:
    broken = {name: np.full_like(value, np.nan) for name, value in parameters().items()}
    assert np.isnan(evaluator(kit).metrics(broken, "validation")["loss"])
    assert np.isnan(evaluator(kit).probe(broken)["gradient_norm"])


def test_a_rehearsal_evaluates_all_that_a_trial_may_ask_for(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, splits = evaluator(kit), list[str]()

    def noting_call(name: str, method: Callable[..., object]) -> Callable[..., object]:
        def note_split(*args: object) -> object:
            splits.append(str(args[1]) if name == "metrics" else name)
            return method(*args)

        return note_split

    monkeypatch.setattr(subject, "metrics", noting_call("metrics", subject.metrics))
    monkeypatch.setattr(subject, "probe", noting_call("probe", subject.probe))
    subject.rehearse()
    assert splits == ["validation", "probe"]


@pytest.mark.parametrize(("device", "times"), [("cuda:0", 1), ("cpu", 0)])
@pytest.mark.parametrize("name", ["Torch", "Jax"])
def test_on_a_gpu_evaluation_has_its_memory_before_there_is_a_worker(
    monkeypatch: pytest.MonkeyPatch, name: str, device: str, times: int
) -> None:
    rehearsed = list[str]()

    class NotingEvaluator:
        def __init__(self, *_: object) -> None: ...

        def rehearse(self) -> None:
            rehearsed.append(name)

    folder = f"harness.frameworks.{name.lower()}"
    monkeypatch.setattr(f"{folder}.evaluation.{name}Evaluator", NotingEvaluator)
    monkeypatch.setattr("harness.frameworks.jax.device.JaxDevice.device", None)
    backend = evaluation_backend(name.lower(), device, 1)
    backend.evaluator(SOURCE, {}, examples(1), EvalConfig(1))
    assert rehearsed == times * [name]


def test_an_unknown_split_and_missing_parameters_are_named(kit: Kit) -> None:
    subject = evaluator(kit)
    with pytest.raises(UnknownNameError, match="unknown split 'valid'; did you mean 'validation'"):
        subject.metrics(parameters(), "valid")
    with pytest.raises(HarnessError, match=r"'hidden_1.weight' has shape None"):
        subject.metrics({}, "validation")


@pytest.mark.system
@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_low_precision_is_evaluated_in_parts_as_it_is_whole(
    framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = importlib.import_module(f"harness.frameworks.{framework}.cross_entropy")
    source = replace(SOURCE, precision="bfloat16")
    results = []
    for part_bytes in (2**28, 4 * 100 * SIZES["classes"]):
        monkeypatch.setattr(parts, "PART_BYTES", part_bytes)
        subject = evaluation_backend(framework, "cpu", 1).evaluator(
            source, {"validation": LARGE}, examples(64), EvalConfig(4096)
        )
        results.append(subject.metrics(parameters(), "validation"))
    assert results[0]["accuracy"] == results[1]["accuracy"]
    assert results[0]["loss"] == pytest.approx(results[1]["loss"], rel=1e-6)


def test_a_rehearsal_evaluates_every_batch_and_changes_nothing(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = evaluator(kit)
    expected = subject.metrics(parameters(), "validation")
    splits = list[str]()
    metrics = subject.metrics

    def note_split(parameters: Parameters, split: str) -> object:
        splits.append(split)
        return metrics(parameters, split)

    monkeypatch.setattr(subject, "metrics", note_split)
    subject.rehearse()
    assert splits == ["validation"]
    assert metrics(parameters(), "validation") == expected


def test_examples_come_in_order_and_are_evaluated_when_asked_for(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = evaluator(kit)
    batches = subject.batches(parameters(), "validation")
    first = next(batches)
    expected = losses_by_hand(LARGE.inputs[:4096], LARGE.targets[:4096])
    np.testing.assert_allclose(first["loss"], expected, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(subject, "_logits" if kit.framework == "torch" else "_evaluate", None)
    with pytest.raises(TypeError):
        next(batches)


def test_an_examples_value_is_the_mean_over_its_targets(kit: Kit) -> None:
    inputs = np.random.default_rng(4).standard_normal((30, 6)).astype(np.float32)
    targets = np.random.default_rng(5).standard_normal((30, 4)).astype(np.float32)
    subject = evaluation_backend(kit.framework, "cpu", 1).evaluator(
        replace(SOURCE, loss="squared_error"),
        {"validation": Examples(inputs, targets)},
        Examples(inputs, targets),
        EvalConfig(10),
    )
    result = concatenate(list(subject.batches(parameters(), "validation")))["loss"]
    np.testing.assert_allclose(
        result, np.square(logits_by_hand(inputs) - targets).mean(1), rtol=1e-5
    )
    assert subject.metrics(parameters(), "validation")["loss"] == pytest.approx(result.mean())
