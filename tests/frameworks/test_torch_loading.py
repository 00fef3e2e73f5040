from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from tests.frameworks.kit import Kit


def write(folder: Path, text: str) -> Path:
    (folder / "submission.py").write_text(dedent(text))
    return folder


@pytest.mark.parametrize("name", ["Adagrad", "AdamW", "SGD", "NAdam", "Adadelta"])
def test_an_optimizer_class_trains_by_import_path(torch_kit: Kit, name: str) -> None:
    rate = 1.0 if name == "Adadelta" else 0.1
    submission = torch_kit.train(f"torch.optim:{name}", 30, learning_rate=rate, weight_decay=1e-4)
    assert submission.learning_rate() == rate
    assert torch_kit.problem.counts == {"forward": 30, "backward": 30, "examples": 30 * 32}


def test_the_import_path_does_what_a_hand_written_loop_does(torch_kit: Kit) -> None:
    submission = torch_kit.train("torch.optim:AdamW", 10, learning_rate=0.01, weight_decay=0.1)
    other = Kit("torch")
    values = list(other.problem.parameters.values())
    optimizer = torch.optim.AdamW(values, lr=0.01, weight_decay=0.1, fused=True)
    stream = other.stream()
    for _ in range(10):
        batch = stream.next()
        optimizer.zero_grad()
        logits = other.problem.model(batch.inputs)
        torch.nn.functional.cross_entropy(logits, batch.targets).backward()
        optimizer.step()
    for mine, expected in zip(submission.eval_parameters().values(), values, strict=True):
        assert torch.equal(mine, expected)


def test_what_a_class_does_not_take_is_refused_and_what_stands_around_it_is_not(
    torch_kit: Kit,
) -> None:
    with pytest.raises(HarnessError, match="Adagrad takes no nesterov; it takes: params, lr,"):
        torch_kit.submission("torch.optim:Adagrad", learning_rate=0.1, nesterov=True)
    around = {"clip": 1.0, "average": "ema", "average_decay": 0.9}
    torch_kit.train("torch.optim:Adagrad", 5, learning_rate=0.1, **around)


def test_two_hyperparameters_for_one_argument_are_refused(torch_kit: Kit) -> None:
    with pytest.raises(HarnessError, match="learning_rate and lr are the same argument of Adagrad"):
        torch_kit.submission("torch.optim:Adagrad", learning_rate=0.1, lr=0.2)


def test_lbfgs_gets_its_closure(torch_kit: Kit) -> None:
    torch_kit.train("torch.optim:LBFGS", 3, learning_rate=0.1)
    assert torch_kit.problem.counts["backward"] > 3


LATE = """
    import torch

    class Late(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure=None):
            if closure is None:
                raise RuntimeError("Late needs a closure")
            loss = closure()
            super().step()
            return loss

    def build(problem, hyperparameters):
        return Late(problem.parameters.values(), lr=0.1)
"""


def test_a_class_that_asks_for_a_closure_when_it_steps_gets_one(
    torch_kit: Kit, tmp_path: Path
) -> None:
    torch_kit.train(write(tmp_path, LATE), 5)
    assert torch_kit.problem.counts["backward"] == 6  # the first was made before it asked


BUILD = """
    import torch

    def build(problem, hyperparameters):
        matrices = [v for n, v in problem.parameters.items() if problem.specs[n].size > 10]
        rest = [v for n, v in problem.parameters.items() if problem.specs[n].size <= 10]
        groups = [{"params": matrices, "lr": hyperparameters["learning_rate"]}, {"params": rest}]
        return torch.optim.SGD(groups, lr=0.5), lambda fraction: 1.0 - fraction / 2
"""


def test_a_folders_schedule_scales_every_groups_rate(torch_kit: Kit, tmp_path: Path) -> None:
    folder = write(tmp_path, BUILD)
    submission = torch_kit.train(folder, 5, learning_rate=0.2, horizon=1.0)
    rates = [group["lr"] for group in submission.state_dict()["optimizer"]["param_groups"]]
    assert rates == [0.2 * 0.75, 0.5 * 0.75]
    assert submission.learning_rate() == 0.2 * 0.75


def test_the_horizon_is_three_quarters_unless_the_point_says(
    torch_kit: Kit, tmp_path: Path
) -> None:
    submission = torch_kit.train(write(tmp_path, BUILD), 1 + 4, learning_rate=0.3)
    assert submission.learning_rate() == pytest.approx(0.3 * (1 - (0.5 / 0.75) / 2))


AVERAGED = """
    import torch

    class Submission:
        def setup(self, problem, hyperparameters):
            self.problem = problem
            self.average = {n: v.detach().clone() for n, v in problem.parameters.items()}

        def step(self, stream):
            loss = self.problem.batch_loss(stream.next(stream.batch_size // 2))
            gradients = torch.autograd.grad(loss, list(self.problem.parameters.values()))
            with torch.no_grad():
                for (n, v), gradient in zip(self.problem.parameters.items(), gradients):
                    v -= 0.1 * gradient
                    self.average[n].lerp_(v, 0.5)
            return loss.detach()
"""
EVAL = """
        def eval_parameters(self):
            return self.average
"""


def test_a_class_with_only_setup_and_step(torch_kit: Kit, tmp_path: Path) -> None:
    submission = torch_kit.train(write(tmp_path, AVERAGED), 20)
    assert submission.eval_parameters() is torch_kit.problem.parameters
    assert submission.learning_rate() is None


def test_averaged_weights_are_what_is_evaluated(torch_kit: Kit, tmp_path: Path) -> None:
    submission = torch_kit.train(write(tmp_path, AVERAGED + EVAL), 20)
    values = torch_kit.backend.export(submission.eval_parameters())
    live = torch_kit.backend.export(torch_kit.problem.parameters)
    assert all((values[name] != live[name]).any() for name in live)
    np.testing.assert_allclose(values["output.bias"], live["output.bias"], atol=0.05)


def test_an_optimizer_with_modes_is_evaluated_in_eval_mode(torch_kit: Kit, tmp_path: Path) -> None:
    text = """
        import torch

        class Switching(torch.optim.SGD):
            \"\"\"Doubles the parameters for evaluation, as others swap averages in.\"\"\"

            def scale(self, factor):
                with torch.no_grad():
                    for group in self.param_groups:
                        for value in group["params"]:
                            value.mul_(factor)

            def train(self):
                self.scale(0.5)

            def eval(self):
                self.scale(2.0)

        def build(problem, hyperparameters):
            return Switching(problem.parameters.values(), lr=0.1)
    """
    submission = torch_kit.submission(write(tmp_path, text))
    values = torch_kit.backend.export(submission.eval_parameters())
    live = torch_kit.backend.export(torch_kit.problem.parameters)
    np.testing.assert_array_equal(values["output.weight"], 2 * live["output.weight"])


def test_a_restored_state_trains_on_the_same(torch_kit: Kit) -> None:
    location = "torch.optim:AdamW"
    submission, stream = torch_kit.train(location, 5, learning_rate=0.05), torch_kit.stream()
    state = {key: torch.utils._pytree.tree_map_only(torch.Tensor, torch.clone, value)
             for key, value in submission.state_dict().items()}  # fmt: skip
    submission.step(stream)
    expected = torch_kit.backend.export(submission.eval_parameters())

    resumed = Kit("torch")
    again = resumed.submission(location, learning_rate=0.05)
    again.load_state_dict(state)
    again.step(resumed.stream())
    actual = resumed.backend.export(again.eval_parameters())
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value)


ODD = """
    import torch

    class PassesOn(torch.optim.SGD):
        def __init__(self, params, **kwargs):
            super().__init__(params, **kwargs)

    class Alpha(torch.optim.SGD):
        def __init__(self, params, alpha=1e-3):
            super().__init__(params, lr=alpha)

    class Nameless(torch.optim.SGD):
        def __init__(self, params, pace=1e-3):
            super().__init__(params, lr=pace)

    class Halved(torch.optim.SGD):
        def __init__(self, params, lr=1e-3):
            super().__init__(params, lr=lr / 2)

    class WithoutRate(torch.optim.Optimizer):
        def __init__(self, params, lr=1e-3):
            super().__init__(params, {})
            self.pace = lr

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for value in group["params"]:
                    value.sub_(value.grad, alpha=self.pace)
"""


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed module of classes that declare their arguments in ways of their own."""
    name = f"odd_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(dedent(ODD))
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize("kind", ["PassesOn", "Alpha"])
def test_a_rate_reaches_a_class_whatever_it_calls_it(torch_kit: Kit, odd: str, kind: str) -> None:
    submission = torch_kit.train(f"{odd}:{kind}", 5, learning_rate=0.07)
    assert submission.learning_rate() == 0.07


@pytest.mark.parametrize(("kind", "why"), [("Nameless", "takes no learning"), ("Halved", "0.035")])
def test_a_rate_that_would_not_be_used_is_refused(
    torch_kit: Kit, odd: str, kind: str, why: str
) -> None:
    with pytest.raises(HarnessError, match=why):
        torch_kit.submission(f"{odd}:{kind}", learning_rate=0.07)


def test_an_optimizer_whose_groups_have_no_rate_trains(torch_kit: Kit, odd: str) -> None:
    assert torch_kit.train(f"{odd}:WithoutRate", 5, learning_rate=0.07).learning_rate() is None


def test_a_schedule_for_an_optimizer_without_rates_is_refused(
    torch_kit: Kit, odd: str, tmp_path: Path
) -> None:
    text = f"""
        from {odd} import WithoutRate

        def build(problem, hyperparameters):
            return WithoutRate(problem.parameters.values()), lambda fraction: 1.0
    """
    with pytest.raises(HarnessError, match="have no 'lr'"):
        torch_kit.submission(write(tmp_path, text), learning_rate=0.07)


TWO_SETTINGS = """
    import torch

    def build(problem, point):
        return torch.optim.AdamW(
            problem.parameters.values(), lr=point["learning_rate"], betas=(0.9, point["beta2"])
        ), lambda progress: 1.0
"""


def test_an_inherited_state_leaves_hyperparameters_that_differ(
    torch_kit: Kit, tmp_path: Path
) -> None:
    point = {"learning_rate": 0.01, "beta2": 0.9}
    place = write(tmp_path, TWO_SETTINGS)
    trunk = torch_kit.train(place, 5, **point)
    branch = torch_kit.submission(place, **point | {"beta2": 0.99, "learning_rate": 0.001})
    branch.inherit(trunk.state_dict(), point)
    state = branch.state_dict()["optimizer"]
    assert state["param_groups"][0]["betas"] == (0.9, 0.99)
    before = trunk.state_dict()["optimizer"]["state"][0]
    assert torch.equal(state["state"][0]["exp_avg"], before["exp_avg"])
    branch.step(torch_kit.stream())
    assert branch.learning_rate() == 0.001
