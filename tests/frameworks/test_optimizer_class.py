"""What a class by import path is given: what the problem knows, and classes around another."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from tests.frameworks.kit import EXAMPLES, Kit

REQUIRING = """
    import torch

    class Counting(torch.optim.SGD):
        def __init__(self, params, num_iterations, num_data, lr=1e-3):
            super().__init__(params, lr=lr)
            self.seen = num_iterations, num_data

    class OfModel(torch.optim.SGD):
        def __init__(self, model, lr=1e-3):
            super().__init__(model.parameters(), lr=lr)

    class Unknown(torch.optim.SGD):
        def __init__(self, params, temperature, lr=1e-3):
            super().__init__(params, lr=lr)

    class Wrapping(torch.optim.Optimizer):
        def __init__(self, optimizer, alpha=0.5):
            self.inner, self.alpha = optimizer, alpha
            super().__init__(optimizer.param_groups, {})

        def step(self):
            self.inner.step()

    class Sharp(torch.optim.Optimizer):
        def __init__(self, params, base_optimizer, rho=0.05, **kwargs):
            super().__init__(params, {"rho": rho, **kwargs})
            self.inner = base_optimizer(self.param_groups, **kwargs)
            self.param_groups = self.inner.param_groups

        def step(self):
            self.inner.step()
"""


@pytest.fixture
def requiring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed module of classes that require more than parameters."""
    name = f"requiring_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(dedent(REQUIRING))
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_what_the_problem_knows_is_filled_in(torch_kit: Kit, requiring: str) -> None:
    submission = torch_kit.train(f"{requiring}:Counting", 5, learning_rate=0.1)
    assert submission._optimizer.seen == (torch_kit.problem.step_hint, EXAMPLES)


def test_a_class_that_takes_the_model_gets_it(torch_kit: Kit, requiring: str) -> None:
    torch_kit.train(f"{requiring}:OfModel", 5, learning_rate=0.1)


def test_a_class_of_the_model_goes_with_no_parametrisation(torch_kit: Kit, requiring: str) -> None:
    point = {"learning_rate": 0.1, "parametrisation": "absolute_mup_adam"}
    with pytest.raises(HarnessError, match="trains other parameters"):
        torch_kit.submission(f"{requiring}:OfModel", **point)


def test_what_nobody_knows_is_named(torch_kit: Kit, requiring: str) -> None:
    with pytest.raises(TypeError, match="'temperature'"):
        torch_kit.submission(f"{requiring}:Unknown", learning_rate=0.1)


@pytest.mark.parametrize(
    ("kind", "argument"), [("Wrapping", "optimizer"), ("Sharp", "base_optimizer")]
)
def test_a_class_around_another_trains_as_that_one_does(
    torch_kit: Kit, requiring: str, kind: str, argument: str
) -> None:
    point = {"learning_rate": 0.05, "weight_decay": 0.1}
    wrapped = torch_kit.train(f"{requiring}:{kind}", 5, **point, **{argument: "torch.optim:AdamW"})
    alone = Kit("torch").train("torch.optim:AdamW", 5, **point)
    assert wrapped.learning_rate() == 0.05
    for mine, other in zip(
        wrapped.eval_parameters().values(), alone.eval_parameters().values(), strict=True
    ):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize(
    ("hyperparameters", "why"),
    [
        ({}, "Sharp wraps another optimizer, its base_optimizer"),
        ({"base_optimizer": "optax:sgd"}, "whose code no record would contain"),
        ({"base_optimizer": "adamw"}, "whose code no record would contain"),
        ({"base_optimizer": "torch.nn:Linear"}, "which is not an optimizer class"),
    ],
)
def test_a_class_around_another_says_which_it_takes(
    torch_kit: Kit, requiring: str, hyperparameters: dict[str, str], why: str
) -> None:
    with pytest.raises(HarnessError, match=why) as error:
        torch_kit.submission(f"{requiring}:Sharp", learning_rate=0.1, **hyperparameters)
    assert "--set base_optimizer=torch.optim:SGD" in str(error.value)


def test_a_class_behind_a_dot_is_found(torch_kit: Kit) -> None:
    torch_kit.train("torch:optim.SGD", 5, learning_rate=0.1)
    with pytest.raises(HarnessError, match="'SDG'; did you mean 'SGD'"):
        torch_kit.submission("torch:optim.SDG", learning_rate=0.1)


SECOND_ORDER = """
    import torch

    class Newton(torch.optim.Optimizer):
        \"\"\"Divides the gradient by the norm of H g, whose graph it needs.\"\"\"
        {declaration}

        def __init__(self, params, lr=1e-3):
            super().__init__(params, {{"lr": lr}})

        def step(self):
            values = self.param_groups[0]["params"]
            gradients = [value.grad for value in values]
            products = torch.autograd.grad(gradients, values, [g.detach() for g in gradients])
            norm = sum(float(product.norm()) for product in products)
            with torch.no_grad():
                for value, gradient in zip(values, gradients):
                    value -= self.param_groups[0]["lr"] * gradient / (1.0 + 0.0 * norm)

    def build(problem, hyperparameters):
        return Newton(problem.parameters.values(), lr=0.1)
"""


@pytest.mark.parametrize("declaration", ["is_second_order = True", ""], ids=["declared", "seen"])
def test_an_optimizer_that_takes_derivatives_of_the_gradient_gets_its_graph(
    torch_kit: Kit, tmp_path: Path, declaration: str
) -> None:
    (tmp_path / "submission.py").write_text(dedent(SECOND_ORDER.format(declaration=declaration)))
    submission = torch_kit.train(tmp_path, 10)
    plain = Kit("torch").train("torch.optim:SGD", 10, learning_rate=0.1)
    for mine, other in zip(
        submission.eval_parameters().values(), plain.eval_parameters().values(), strict=True
    ):
        torch.testing.assert_close(mine, other)


LOOKAHEAD = """
    import torch

    class Lookahead(torch.optim.SGD):
        \"\"\"Its slow weights are put in for evaluation, and taken out again.\"\"\"

        def backup_and_load_cache(self):
            self.fast = [v.detach().clone() for g in self.param_groups for v in g["params"]]
            for value in self.param_groups[0]["params"]:
                value.data.zero_()

        def clear_and_load_backup(self):
            for value, fast in zip(self.param_groups[0]["params"], self.fast):
                value.data.copy_(fast)

    def build(problem, hyperparameters):
        return Lookahead(list(problem.parameters.values()), lr=0.1)
"""


def test_lookaheads_slow_weights_are_evaluated_and_its_fast_ones_train_on(
    torch_kit: Kit, tmp_path: Path
) -> None:
    (tmp_path / "submission.py").write_text(dedent(LOOKAHEAD))
    submission = torch_kit.train(tmp_path, 5)
    before = torch_kit.backend.export(torch_kit.problem.parameters)
    values = torch_kit.backend.export(submission.eval_parameters())
    assert submission.averages_weights
    assert all((value == 0.0).all() for value in values.values())
    after = torch_kit.backend.export(torch_kit.problem.parameters)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)


SHARP = """
    import torch

    class Sharp(torch.optim.SGD):
        \"\"\"Climbs along the gradient, asks for the one there, and steps back.\"\"\"

        @torch.no_grad()
        def step(self, closure=None):
            if closure is None:
                raise ValueError("Sharp requires closure")
            values = self.param_groups[0]["params"]
            climbs = [0.1 * value.grad for value in values]
            for value, climb in zip(values, climbs):
                value.add_(climb)
            closure()
            for value, climb in zip(values, climbs):
                value.sub_(climb)
            super().step()

    def build(problem, hyperparameters):
        return Sharp(list(problem.parameters.values()), lr=0.1)
"""


def test_a_sharpness_aware_optimizer_climbs_along_the_gradient_where_it_is(
    torch_kit: Kit, tmp_path: Path
) -> None:
    (tmp_path / "submission.py").write_text(dedent(SHARP))
    submission, other = torch_kit.train(tmp_path, 4), Kit("torch")
    values, stream = list(other.problem.parameters.values()), other.stream()
    for _ in range(4):
        batch = stream.next()
        climbs = torch.autograd.grad(other.problem.batch_loss(batch), values)
        with torch.no_grad():
            torch._foreach_add_(values, climbs, alpha=0.1)
        gradients = torch.autograd.grad(other.problem.batch_loss(batch), values)
        with torch.no_grad():
            torch._foreach_sub_(values, climbs, alpha=0.1)
            torch._foreach_sub_(values, gradients, alpha=0.1)
    for mine, value in zip(submission.eval_parameters().values(), values, strict=True):
        torch.testing.assert_close(mine, value)
