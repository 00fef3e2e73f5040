"""Compiled training passes: one graph of model and loss, met in the warm-up and never again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.core.seeds import philox
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from tests.frameworks.kit import SEED, HalfSpent
from workloads.data.language import Language, LanguageSettings
from workloads.lm import model
from workloads.parameters import initial_parameters

SIZES = {"classes": 512, "width": 16, "depth": 1, "heads": 2, "mlp_width": 32}
COUNT, TIME = 12, 8


class CompiledTransformer:
    """A small transformer whose passes are compiled by a back end that keeps their graphs."""

    def __init__(
        self, precision: str = "bfloat16", *, is_compiled: bool = True, device: str = "cpu"
    ) -> None:
        source = ModelSource("workloads.lm", SIZES, "cross_entropy", precision, is_compiled)
        self.backend = training_backend("torch", device, 1)
        self.backend.pin()
        self.problem: Any = self.backend.problem(ProblemConfig(source, HalfSpent(), 4, COUNT, 1))
        self.backend.load(
            self.problem, initial_parameters(model.parameters(SIZES), philox(SEED, "w"))
        )
        settings = LanguageSettings(train=COUNT, validation=1, time=TIME)
        tokens = Language(SEED, settings).sample("train", COUNT).tokens
        examples = Examples(tokens[:, :-1], tokens[:, 1:])
        self.stream = self.backend.stream(examples, Order(SEED, COUNT), 4)


@contextmanager
def kept_graphs(patch: pytest.MonkeyPatch) -> Iterator[list[torch.fx.GraphModule]]:
    """The graphs that are compiled meanwhile."""
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    patch.setattr(torch, "compile", partial(torch.compile, backend=keep))
    yield graphs
    torch._dynamo.reset()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_compiled_loss_is_the_plain_one(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    plain = CompiledTransformer(precision, is_compiled=False)
    expected = plain.problem.batch_loss(plain.stream.next())
    with kept_graphs(monkeypatch) as graphs:
        compiled = CompiledTransformer(precision)
        loss = compiled.problem.batch_loss(compiled.stream.next())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert len(graphs) == 1, "model and loss are one graph"


def test_warm_up_load_and_steps_compile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with kept_graphs(monkeypatch) as graphs:
        small = CompiledTransformer()
        for _ in range(3):
            small.problem.batch_loss(small.stream.next()).backward()
        small.backend.load(small.problem, small.backend.export(small.problem.parameters))
        small.backend.pin()
        for _ in range(6):  # over the end of an epoch
            small.problem.batch_loss(small.stream.next()).backward()
    assert len(graphs) == 1
    assert small.problem.counts == {"forward": 6, "backward": 6, "examples": 24}


def test_hooks_fire_in_a_capture_of_a_compiled_model(monkeypatch: pytest.MonkeyPatch) -> None:
    with kept_graphs(monkeypatch):
        small = CompiledTransformer()
        with small.problem.capture() as captures:
            small.problem.batch_loss(small.stream.next()).backward()
    assert set(captures) == {layer.name for layer in small.problem.layers}


@pytest.mark.gpu
def test_on_a_gpu_a_compiled_model_trains_as_the_plain_one_and_compiles_once() -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    plain, compiled = (
        CompiledTransformer(is_compiled=False, device="cuda"),
        CompiledTransformer(device="cuda"),
    )
    for number in range(6):  # over the end of an epoch
        losses = [each.problem.batch_loss(each.stream.next()) for each in (plain, compiled)]
        losses[1].backward()
        assert losses[1].item() == pytest.approx(losses[0].item(), rel=1e-2)
        if number == 2:
            start = compiled.backend.export(compiled.problem.parameters)
            compiled.backend.load(compiled.problem, start)
            compiled.backend.pin()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
