"""What an author reads after the usual mistakes: what to write instead."""

from pathlib import Path
from textwrap import dedent

import pytest

from harness.submission.resolution import file_for
from harness.worker.report import error_report
from tests.frameworks.kit import Kit

MISTAKES = {
    "the dictionary of parameters": (
        "return torch.optim.SGD(problem.parameters, lr=0.1)",
        "pass problem.parameters.values()",
    ),
    "a dictionary taken for an object": (
        "return torch.optim.SGD(problem.parameters.values(), lr=hyperparameters.learning_rate)",
        'hyperparameters["learning_rate"]',
    ),
    "a name that space.toml does not have": (
        'return torch.optim.SGD(problem.parameters.values(), lr=hyperparameters["alpha"])',
        "the names of space.toml",
    ),
    "a loader of the data": (
        "return torch.utils.data.DataLoader(problem.train_data)",
        "batches come from the stream",
    ),
    "held-out data": ("problem.validation_data", "no held-out data"),
    "the end of the process": ("import sys; sys.exit(1)", "may not end its process"),
    "a method that is not called": (
        "return torch.optim.SGD(problem.model.parameters, lr=0.1)",
        "problem.model.parameters()",
    ),
    "no return": (
        "torch.optim.SGD(problem.model.parameters(), lr=0.1)",
        "build returned nothing; it must return a torch.optim.Optimizer",
    ),
    "a class": ("return torch.optim.SGD", "build returned the class SGD; it must return"),
    "a rate scheduler alone": (
        "return torch.optim.lr_scheduler.ConstantLR(torch.optim.SGD(problem.model.parameters()))",
        "build returned ConstantLR; it must return a torch.optim.Optimizer, or a pair",
    ),
    "a rate scheduler in the pair": (
        "o = torch.optim.SGD(problem.model.parameters()); "
        "return o, torch.optim.lr_scheduler.ConstantLR(o)",
        "build's schedule is ConstantLR; it must be a function of the fraction",
    ),
}


@pytest.mark.parametrize(("body", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_build_is_answered(tmp_path: Path, body: str, hint: str) -> None:
    source = f"import torch\ndef build(problem, hyperparameters):\n    {body}\n"
    assert hint in mistake(tmp_path, source)


STEPS = {
    "logits for a loss": ("problem.model(next(stream).inputs).backward()", "problem.loss.value"),
    "the length of the stream": ("len(stream)", "batches come from the stream"),
    "a loader of the stream": (
        "list(torch.utils.data.DataLoader(stream))",
        "batches come from the stream",
    ),
}


@pytest.mark.parametrize(("body", "hint"), STEPS.values(), ids=STEPS)
def test_a_mistake_in_step_is_answered(tmp_path: Path, body: str, hint: str) -> None:
    source = f"""
        import torch
        class Submission:
            def setup(self, problem, hyperparameters):
                self.problem = problem
            def step(self, stream):
                problem = self.problem
                {body}
    """
    assert hint in mistake(tmp_path, dedent(source))


def test_an_error_of_the_authors_own_gets_no_hint(tmp_path: Path) -> None:
    source = "def build(problem, hyperparameters):\n    raise ValueError('of mine')\n"
    assert mistake(tmp_path, source) == "ValueError: of mine"


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("def build(problem):\n    pass\n", "called as build(problem, hyperparameters)"),
        (
            "class Submission:\n    def setup(self, problem):\n        pass\n"
            "    def step(self, stream):\n        pass\n",
            "called as setup(problem, hyperparameters) and step(stream)",
        ),
    ],
    ids=["build", "setup"],
)
def test_other_arguments_are_answered(tmp_path: Path, source: str, hint: str) -> None:
    assert hint in mistake(tmp_path, source)


def test_optaxs_lookahead_gets_the_rule_that_any_optimizer_takes(tmp_path: Path) -> None:
    pytest.importorskip("optax")
    source = """
        import optax
        def build(problem, hyperparameters):
            return optax.lookahead(optax.sgd(0.1), sync_period=5, slow_step_size=0.5)
    """
    assert "lookahead_every" in mistake(tmp_path, dedent(source), "jax")


def mistake(folder: Path, source: str, framework: str = "torch") -> str:
    """What the worker says of a submission that fails in its first step."""
    (folder / file_for(framework)).write_text(source)
    try:
        Kit(framework).train(str(folder), 1, learning_rate=0.1)
    except (Exception, SystemExit) as error:
        return error_report(error, str(folder)).error
    raise AssertionError(source)
