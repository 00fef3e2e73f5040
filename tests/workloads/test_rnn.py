"""The LSTM: one declaration, the same numbers from both frameworks and from both torch paths."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.core.errors import HarnessError
from harness.providers import registry
from tests.tiers import nightly_but
from tests.workloads import hessian_products
from tests.workloads.capturing import (
    assert_captures_are_factors,
    capture_pass,
    problem_of,
    tokens_of,
)
from tests.workloads.full_size import losses_around_a_step
from tests.workloads.language_batches import LanguageBatches
from tests.workloads.parity import (
    Arrays,
    Twin,
    apart,
    assert_declared,
    assert_same_evaluation,
    assert_same_pass,
    assert_same_training,
    farthest,
    torch_step,
)
from tests.workloads.text_made import text
from workloads.fused_torch import twice_differentiable
from workloads.parameters import Role
from workloads.rnn import model
from workloads.rnn.model_torch import Cell

Tensors = tuple[Tensor, ...] | list[Tensor]

QUICK = registry.workload("rnn").at("quick")
STANDARD = {"is_tied": True, "embedding": 96, "depth": 2}
"""What only the larger suites have: tied matrices of unequal widths, with a projection."""
CASES = {"base": QUICK.sizes, **{name: QUICK.sizes_of(name) for name in QUICK.variants},
         "projected": QUICK.sizes | STANDARD,
         "other choices": QUICK.sizes | STANDARD | {"norm": "layer"}}  # fmt: skip
BASE_ALONE = nightly_but(["base"], CASES)
"""Where a case's gradients agree its steps have never differed."""
TIME = 8
batch = LanguageBatches(40, TIME, 4)
INPUTS, TARGETS = batch.all


@cache
def twin(case: str = "base") -> Twin:
    """Kept, for compiling it takes longest."""
    return Twin("rnn", CASES[case])


@pytest.mark.system
@pytest.mark.parametrize("case", nightly_but(["base", "other choices"], CASES))
def test_logits_loss_and_gradients_agree(case: str) -> None:
    assert_same_pass(twin(case), batch())


@pytest.mark.parametrize("case", BASE_ALONE)
def test_ten_steps_of_sgd_stay_together(case: str) -> None:
    assert_same_training(twin(case), batch, 0.1)


@pytest.mark.nightly
@pytest.mark.parametrize("case", CASES)
def test_both_referees_give_the_same_metric(case: str) -> None:
    assert_same_evaluation(twin(case), (INPUTS, TARGETS))


@pytest.mark.parametrize("case", CASES)
def test_the_torch_model_has_the_declared_parameters_in_order(case: str) -> None:
    assert_declared(twin(case))


@pytest.mark.system
@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize("case", nightly_but(["base"], ["base", "layer_norm", "projected"]))
def test_captures_give_the_weights_gradients(framework: str, case: str) -> None:
    assert_captures_are_factors(framework, twin(case), batch())


@pytest.mark.parametrize("case", ["base", "deep", "projected"])
def test_the_fused_path_gives_the_numbers_of_the_loop(case: str) -> None:
    module: Any = twin(case).torch_model(twin(case).start)
    fused = torch_step(module, batch())
    with twice_differentiable(module):
        plain = torch_step(module, batch())
    assert apart(fused.logits, plain.logits) < 1e-6
    assert farthest(fused.gradients, plain.gradients)[0] < 1e-5
    assert all(cell.is_fused for cell in module.cells)


def test_the_loops_memories_add_up_under_autocast() -> None:
    """Six hundred steps that each add 0.0008, of which bfloat16 would lose a half."""
    cell = Cell(1, model.validate({"classes": 2, "hidden": 1}))
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.input.bias.copy_(torch.tensor([20.0, 20.0, 0.0008, 20.0]))
    with twice_differentiable(cell), torch.autocast("cpu", torch.bfloat16):
        last = cell(torch.zeros(1, 600, 1))[0, -1].item()
    assert last == pytest.approx(np.tanh(600 * 0.0008), rel=0.01)


def test_the_fused_kernel_gets_the_declared_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = twin().torch_model(twin().start)
    lstm, dtypes = torch.lstm, set[torch.dtype]()

    def note_dtypes(values: Tensor, state: Tensors, weights: Tensors, **flags: Any) -> object:
        dtypes.update(part.dtype for part in (values, *state, *weights))
        assert not torch.is_autocast_enabled("cpu")
        return lstm(values, state, weights, **flags)

    monkeypatch.setattr(torch, "lstm", note_dtypes)
    tokens = torch.tensor(INPUTS[:4].astype(np.int32))
    with torch.autocast("cpu", torch.bfloat16):
        module(tokens)
    assert dtypes == {torch.bfloat16}
    module(tokens)
    assert dtypes == {torch.bfloat16, torch.float32}


@pytest.mark.parametrize("suite", ["standard", "large"])
def test_no_model_for_a_gpu_loops_over_time_steps(suite: str) -> None:
    size = registry.workload("rnn").at(suite)
    for name in ("base", *size.variants):
        assert model.validate(size.sizes_of(name)).norm == "none"
    assert size.drawn is not None
    choices = [choice for some in size.drawn.choices.values() for choice in some]
    assert choices and not any("norm" in choice for choice in choices)


@pytest.mark.gpu
def test_on_a_gpu_the_fused_kernel_in_bfloat16_gives_the_numbers_of_the_loop() -> None:
    module: Any = twin().torch_model(twin().start).cuda()
    tokens = torch.tensor(INPUTS[:4].astype(np.int32)).cuda()
    with torch.autocast("cuda", torch.bfloat16):
        fused = module(tokens)
        with twice_differentiable(module):
            plain = module(tokens)
    assert fused.dtype == torch.bfloat16
    assert apart(fused.float().detach().cpu().numpy(), plain.float().detach().cpu().numpy()) < 0.02


def test_a_hook_on_either_matrix_sees_every_call() -> None:
    module: Any = twin().torch_model(twin().start)
    shapes: list[torch.Size] = []
    for name in ("input", "recurrent"):
        layer = module.cells[0].get_submodule(name)
        handle = layer.register_forward_hook(lambda _, entered, out: shapes.append(out.shape))
        module(torch.tensor(INPUTS[:4].astype(np.int32)))
        handle.remove()
    assert shapes == [(4, TIME, 512)] + [(4, 512)] * TIME
    module(torch.tensor(INPUTS[:4].astype(np.int32)))
    assert len(shapes) == 1 + TIME


def test_captures_of_both_frameworks_agree_and_change_no_gradient() -> None:
    ordinary = torch_step(twin().torch_model(twin().start), batch()).gradients
    by_framework = {}
    for framework in ("torch", "jax"):
        captures, gradients = capture_pass(framework, problem_of(framework, twin()),
                                 tokens_of(framework, batch()))  # fmt: skip
        assert farthest(gradients, ordinary)[0] < 1e-5
        by_framework[framework] = captures["cells.0.recurrent"]
    for one, other in zip(by_framework["torch"], by_framework["jax"], strict=True):
        assert one.shape[:2] == (4, TIME)
        assert apart(one, other) < 1e-5


def test_a_second_backward_pass_replaces_every_time_step() -> None:
    problem, token_batch = problem_of("torch", twin()), tokens_of("torch", batch())
    with problem.capture(["cells.0.recurrent"]) as captures:
        loss = problem.batch_loss(token_batch)
        loss.backward(retain_graph=True)
        first = captures["cells.0.recurrent"].output_gradients
        (3.0 * loss).backward()
    assert torch.allclose(captures["cells.0.recurrent"].output_gradients, 3.0 * first, atol=1e-6)


def test_time_steps_after_the_loss_have_no_gradient() -> None:
    problem, token_batch = problem_of("torch", twin()), tokens_of("torch", batch())
    with problem.capture(["cells.0.recurrent"]) as captures:
        logits = problem.evaluate(problem.parameters, token_batch).logits
        problem.loss.value(logits[:, :5], token_batch.targets[:, :5]).backward()
    gradients = captures["cells.0.recurrent"].output_gradients
    assert gradients.shape == (4, TIME, 512)
    assert (gradients[:, :5] != 0).any()
    assert (gradients[:, 5:] == 0).all()


@pytest.mark.system
def test_torch_hessian_product_agrees_with_that_of_jax() -> None:
    expected = hessian_products.in_jax(twin(), batch())
    distance, name = farthest(hessian_products.in_torch(twin(), batch()), expected)
    assert distance < 1e-3, name


def test_roles() -> None:
    specs = {spec.name: spec for spec in model.parameters(QUICK.sizes)}
    roles = {name: spec.role for name, spec in specs.items()}
    assert roles == {
        "embedding.weight": Role.EMBEDDING,
        "cells.0.input.weight": Role.HIDDEN_MATRIX,
        "cells.0.input.bias": Role.BIAS,
        "cells.0.recurrent.weight": Role.HIDDEN_MATRIX,
        "output.weight": Role.OUTPUT,
        "output.bias": Role.BIAS,
    }
    kinds = [layer.kind for layer in model.layers(QUICK.sizes)]
    assert kinds == ["linear", "recurrent", "linear"]


def start_of(case: str) -> Arrays:
    return twin(case).start


def test_the_start_is_that_of_torchs_lstm() -> None:
    start, bound = start_of("base"), 1 / 128**0.5
    for name in ("cells.0.input.weight", "cells.0.input.bias", "cells.0.recurrent.weight"):
        assert np.abs(start[name]).max() <= bound
        assert start[name].std() == pytest.approx(bound / 3**0.5, rel=0.1)
    assert start_of("small_init")["cells.0.input.weight"] == pytest.approx(
        0.5 * start["cells.0.input.weight"]
    )


@pytest.mark.parametrize(("key", "value"), [("norm", "batch"), ("dropout", 1.0), ("cell", "gru")])
def test_a_wrong_size_is_named(key: str, value: object) -> None:
    with pytest.raises(HarnessError, match=f"rnn: size '{key}'.*{value!r}"):
        model.parameters(QUICK.sizes | {key: value})


@pytest.mark.slow
def test_large_makes_a_step_at_full_size_from_text(tmp_path: Path) -> None:
    folder = tmp_path / "wikitext"
    folder.mkdir()
    (folder / "wiki.train.tokens").write_text(text(400), encoding="utf-8")
    (folder / "wiki.valid.tokens").write_text(text(400, seed=1), encoding="utf-8")
    before, after = losses_around_a_step("rnn", folder, tmp_path / "instance")
    assert before == pytest.approx(np.log(32768), abs=0.5)
    assert after < before
