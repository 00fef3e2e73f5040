"""An optimizer that keeps state outside its `state_dict` has no checkpoint."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch

from harness.core.errors import HarnessError
from harness.frameworks.torch.unsaved_state import UnsavedState
from tests.frameworks.kit import Kit

HOOK = """
    def build(problem, hyperparameters):
        optimizer = torch.optim.SGD(problem.parameters.values(), lr=0.1)
        seen = []
        optimizer.register_step_post_hook(lambda *_: seen.append(1))
        return optimizer
"""
GRADIENT_HOOK = """
    def build(problem, hyperparameters):
        values, seen = list(problem.parameters.values()), []
        values[0].register_hook(seen.append)
        return torch.optim.SGD(values, lr=0.1)
"""
WRAPPED = """
    def build(problem, hyperparameters):
        optimizer = torch.optim.SGD(problem.parameters.values(), lr=0.1)
        step, seen = optimizer.step, []
        optimizer.step = lambda: (seen.append(1), step())
        return optimizer
"""
ATTRIBUTE = """
    class Counting(torch.optim.SGD):
        seen = 0

        def step(self, closure=None):
            self.seen = self.seen + 1
            return super().step(closure)

    def build(problem, hyperparameters):
        return Counting(problem.parameters.values(), lr=0.1)
"""
INNER_OBJECT = """
    class Mean:
        def __init__(self):
            self.value = torch.zeros(())

    class Averaging(torch.optim.SGD):
        def step(self, closure=None):
            self.mean.value.add_(1.0)
            return super().step(closure)

    def build(problem, hyperparameters):
        optimizer = Averaging(problem.parameters.values(), lr=0.1)
        optimizer.mean = Mean()
        return optimizer
"""
LAYER_HOOK = """
    def build(problem, hyperparameters):
        seen = []
        layer = next(iter(problem.model.children()))
        layer.register_forward_hook(lambda *_: seen.append(1))
        return torch.optim.SGD(problem.parameters.values(), lr=0.1)
"""
WRAPPED_ZEROING = WRAPPED.replace("step", "zero_grad")
GENERATOR = """
    import itertools, random
    import numpy as np

    class Noisy(torch.optim.SGD):
        def step(self, closure=None):
            self.draw(self.noise)
            return super().step(closure)

    def build(problem, hyperparameters):
        optimizer = Noisy(problem.parameters.values(), lr=0.1)
        optimizer.draw, optimizer.noise = {draw}, {noise}
        return optimizer
"""
COMPLETE = """
    class Complete(torch.optim.SGD):
        def __init__(self, values):
            super().__init__(values, lr=0.1, momentum=0.9)
            self.values, self.sizes = list(values), {"all": 3}

        def step(self, closure=None):
            torch.rand(1, generator=self.noise)
            return super().step(closure)

    def build(problem, hyperparameters):
        optimizer = Complete(list(problem.parameters.values()))
        optimizer.noise = problem.generator
        torch.optim.lr_scheduler.StepLR(optimizer, 10)
        return optimizer
"""


def train(kit: Kit, folder: Path, text: str) -> Any:
    (folder / "submission.py").write_text("import torch\n" + dedent(text))
    return kit.train(folder, 3)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (HOOK, "hooks around its steps"),
        (GRADIENT_HOOK, "hooks on its parameters' gradients"),
        (LAYER_HOOK, "hooks on the model's layers"),
        (WRAPPED, "a step that is wrapped"),
        (WRAPPED_ZEROING, "a zero_grad that is wrapped"),
        (ATTRIBUTE, "the attribute 'seen'"),
        (INNER_OBJECT, "the attribute 'mean'"),
    ],
    ids=["hook", "gradient hook", "layer hook", "wrapped", "zeroing", "attribute", "inner object"],
)
def test_state_elsewhere_is_named(torch_kit: Kit, tmp_path: Path, text: str, what: str) -> None:
    submission = train(torch_kit, tmp_path, text)
    with pytest.raises(HarnessError, match=f"has {what}, which its state_dict does not contain"):
        submission.state_dict()


@pytest.mark.parametrize(
    ("noise", "draw"),
    [
        ("torch.Generator()", "lambda noise: torch.rand(1, generator=noise)"),
        ("np.random.default_rng(0)", "lambda noise: noise.random()"),
        ("random.Random(0)", "lambda noise: noise.random()"),
        ("iter([1, 2, 3, 4])", "next"),
        ("itertools.count()", "next"),
    ],
)
def test_a_generator_of_its_own_is_state(
    torch_kit: Kit, tmp_path: Path, noise: str, draw: str
) -> None:
    text = GENERATOR.replace("{noise}", noise).replace("{draw}", draw)
    submission = train(torch_kit, tmp_path, text)
    with pytest.raises(HarnessError, match="has the attribute 'noise'"):
        submission.state_dict()


def test_lists_of_parameters_the_problems_generator_and_schedules_keep_nothing(
    torch_kit: Kit, tmp_path: Path
) -> None:
    assert "optimizer" in train(torch_kit, tmp_path, COMPLETE).state_dict()


def test_a_class_without_a_state_has_no_checkpoint(torch_kit: Kit, tmp_path: Path) -> None:
    text = """
        class Submission:
            def setup(self, problem, hyperparameters):
                self.problem = problem

            def step(self, stream):
                return self.problem.batch_loss(stream.next()).detach()
    """
    submission = train(torch_kit, tmp_path, text)
    with pytest.raises(HarnessError, match="Submission has no state_dict and load_state_dict"):
        submission.state_dict()


class Averaging(torch.optim.SGD):
    """An author's class, which may keep what it likes."""

    average: torch.Tensor


@pytest.mark.parametrize(
    "tensor",
    [torch.arange(6.0)[::2], torch.zeros(()).expand(4), torch.eye(3).to_sparse(), torch.ones(2)],
    ids=["strided", "expanded", "sparse", "plain"],
)
def test_a_tensor_beside_the_state_is_seen_to_change(tensor: torch.Tensor) -> None:
    optimizer = Averaging([torch.zeros(3)], lr=0.1)
    optimizer.average = tensor
    state = UnsavedState(optimizer, torch.nn.Linear(1, 1), torch.Generator())
    state.refuse()
    optimizer.average = tensor.to_dense() + 1.0
    with pytest.raises(HarnessError, match="average"):
        state.refuse()
