"""`harness new` and `harness check`: what is written passes, and mistakes are found."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.authoring.new import WAYS, Way, new_submission
from harness.authoring.workload import new_workload
from harness.cli.app import app
from harness.core.errors import CannotWriteError, HarnessError
from tests.kit import write_submission
from tests.tiers import nightly_but


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, data_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(data_cache))


def check_submission(
    location: str, framework: str = "torch", workload: str = "mlp"
) -> dict[str, tuple[str, str]]:
    """Verdict and detail of each check."""
    words = ["check", location, "--workload", workload, "--framework", framework, "--json"]
    result = CliRunner().invoke(app, [*words, "--threads", "1"])
    (outcome,) = json.loads(result.stdout)["workloads"]
    failed = any(finding["verdict"] == "fail" for finding in outcome["findings"])
    assert result.exit_code == failed
    return {f["check"]: (f["verdict"], f["detail"]) for f in outcome["findings"]}


WRITTEN = list(product(("torch", "jax"), WAYS))


@pytest.mark.parametrize(
    ("framework", "way"), nightly_but([*WRITTEN[: len(WAYS)], ("jax", "build")], WRITTEN)
)
def test_what_is_written_passes_every_check(tmp_path: Path, framework: str, way: Way) -> None:
    submission = new_submission("mine_too", framework, way, tmp_path)
    result = check_submission(submission.location, framework)
    assert {verdict for verdict, _ in result.values()} == {"pass"}
    assert ("missing_gradients" in result) == (framework == "torch")
    assert any(path.name == "test_mine_too.py" for path in submission.files)


def test_a_check_ends_with_the_command_that_trains(tmp_path: Path) -> None:
    new_submission("mine", "torch", "build", tmp_path)
    flags = ["--workload", "mlp", "--set", "momentum=0.5", "--data-dir", "."]
    result = CliRunner().invoke(app, ["check", "./mine", *flags, "--threads", "1"])
    last_line = result.stdout.splitlines()[-1]
    assert last_line == "Next: harness run --submission ./mine " + " ".join(flags)
    write_submission(tmp_path / "mine", "")
    result = CliRunner().invoke(app, ["check", "./mine", "--workload", "mlp"])
    assert (result.exit_code, "Next:" in result.stdout) == (1, False)


@pytest.mark.parametrize("workload", ["mlp", "resnet", "saddle"])
@pytest.mark.parametrize(
    ("of", "flag"), [("torch.optim:Muon", ""), ("pytorch_optimizer:Muon", "use_muon")]
)
def test_a_class_for_matrices_gets_the_hidden_ones(
    tmp_path: Path, of: str, flag: str, workload: str
) -> None:
    submission = new_submission("mine", "torch", "build", tmp_path, of=of, flag=flag)
    result = check_submission(submission.location, workload=workload)
    assert {name: result[name][0] for name in ("steps", "updates", "state")} == {
        "steps": "pass", "updates": "pass", "state": "pass"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("of", "flags"), [("torch.optim:Muon", ""), ("pytorch_optimizer:Muon", " --flag use_muon")]
)
def test_a_class_for_matrices_is_told_of_that(of: str, flags: str) -> None:
    words = ("run", "--submission", of, "--workload", "mlp", "--budget-scale", "0.1")
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, HarnessError)
    assert str(result.exception).endswith(f"harness new my_muon --of {of}{flags}")


def test_a_name_that_a_module_lacks_is_to_be_corrected() -> None:
    words = ("run", "--submission", "torch.optim:Adamm", "--workload", "mlp")
    result = CliRunner().invoke(app, [*words, "--budget-scale", "0.1"])
    assert "did you mean 'Adam'" in str(result.exception)
    assert str(result.exception).endswith("correct the name after the colon")


def test_a_flag_without_a_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="--flag use_muon is not the name"):
        new_submission("mine", "torch", "build", tmp_path, flag="use_muon")


@pytest.mark.parametrize(("framework", "way"), [("jax", "build"), ("torch", "class")])
def test_a_class_for_matrices_needs_a_template(tmp_path: Path, framework: str, way: Way) -> None:
    with pytest.raises(HarnessError, match="works only with --framework torch and --way build"):
        new_submission("mine", framework, way, tmp_path, of="torch.optim:Muon")


@pytest.mark.parametrize("kind", ["submission", "workload"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWriteError, match=r"cannot write .*/file/mine"):
        if kind == "workload":
            new_workload("mine", tmp_path / "file")
        else:
            new_submission("mine", "torch", "build", tmp_path / "file")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(HarnessError, match="mine exists"):
        new_submission("mine", "torch", "build", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["../mine", "a b", "", "-x", "mine.py/"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HarnessError, match="submission"):
        new_submission(name, "torch", "build", tmp_path)


IDLE = "torch.optim.SGD(problem.parameters.values(), lr=0.0)"
PART = "torch.optim.SGD([v for v in problem.parameters.values() if v.ndim == 1], lr=0.1)"
WIDE = "Shaken(problem.parameters.values(), lr=0.1 + 0 * torch.ones(2**26).sum().item())"
RARE = "Rare(problem.parameters.values(), lr=0.1)"
RANDOM = "Shaken(problem.parameters.values(), lr=0.1)"
BUILD = """
import os, torch

class Shaken(torch.optim.SGD):
    def step(self, closure=None):
        with torch.no_grad():
            noise = int.from_bytes(os.urandom(4), "little") / 2**32
            self.param_groups[0]["params"][0].add_(noise)
        return super().step(closure)

class Rare(torch.optim.SGD):
    calls = 0

    def step(self, closure=None):
        self.calls += 1
        return super().step(closure) if self.calls % 4 == 0 else None

def build(problem, hyperparameters):
    return {optimizer}
"""


@pytest.mark.parametrize(
    ("optimizer", "check", "verdict", "detail"),
    [
        (IDLE, "updates", "fail", "no parameter has changed"),
        (RARE, "updates", "pass", ""),
        (PART, "updates", "warn", "hidden_1.weight (hidden_matrix)"),
        (RANDOM, "determinism", "warn", "two runs from one start differ"),
        (RANDOM, "hyperparameters", "warn", "not looked up: learning_rate"),
        ("torch.optim.Muon(problem.parameters.values())", "steps", "fail", "submission.py:19"),
    ],
    ids=["idle", "every fourth step", "part", "random", "unread", "raises"],
)
def test_mistakes_are_found(
    tmp_path: Path, optimizer: str, check: str, verdict: str, detail: str
) -> None:
    write_submission(tmp_path / "mine", BUILD.format(optimizer=optimizer))
    result = check_submission("./mine")
    assert result[check][0] == verdict
    assert detail in result[check][1]


BARE = """
import torch

class Bare(torch.optim.SGD):
    @torch.no_grad()
    def step(self, closure=None):
        for value in self.param_groups[0]["params"]:
            value.sub_(0.1 * {gradient})

def build(problem, hyperparameters):
    return Bare(problem.parameters.values(), lr=hyperparameters["learning_rate"])
"""
NONE = "if value.grad is None else value.grad"


@pytest.mark.parametrize(
    ("gradient", "verdict", "detail"),
    [
        ("value.grad", "warn", "submission.py:8"),
        (f"(float('nan') {NONE})", "warn", "not finite without: hidden_1.weight"),
        (f"(0.0 {NONE})", "pass", ""),
    ],
    ids=["raises", "not finite", "passes over"],
)
def test_a_missing_gradient_is_tried(
    tmp_path: Path, gradient: str, verdict: str, detail: str
) -> None:
    write_submission(tmp_path / "mine", BARE.format(gradient=gradient))
    result = check_submission("./mine")["missing_gradients"]
    assert (result[0], detail in result[1]) == (verdict, True)


SLOW = """
from pytorch_optimizer import Lookahead
from torch.optim import SGD

def build(problem, hyperparameters):
    optimizer = SGD(problem.parameters.values(), lr=hyperparameters["learning_rate"])
    return Lookahead(optimizer, k=10)
"""


def test_an_average_that_has_not_moved_yet_is_no_idle_submission(tmp_path: Path) -> None:
    write_submission(tmp_path / "mine", SLOW)
    assert check_submission("./mine")["updates"] == ("pass", "")


CALLING = """
import socket, torch

def build(problem, hyperparameters):
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    except OSError:
        pass
    return torch.optim.SGD(problem.parameters.values(), lr=0.1)
"""


def test_a_connection_is_found_even_if_it_fails(tmp_path: Path) -> None:
    write_submission(tmp_path / "mine", CALLING)
    verdict, detail = check_submission("./mine")["no_network"]
    assert verdict == "fail"
    assert "127.0.0.1:9 (submission.py:6)" in detail


def test_memory_is_shown_beside_the_references(tmp_path: Path) -> None:
    write_submission(tmp_path / "mine", BUILD.format(optimizer=WIDE))
    words = ["check", "./mine", "--workload", "mlp", "--json", "--threads", "1"]
    (result,) = json.loads(CliRunner().invoke(app, words).stdout)["workloads"]
    assert result["memory_bytes"] - result["reference_memory_bytes"] > 200 * 2**20


def test_a_state_that_is_not_all_is_found(tmp_path: Path) -> None:
    submission = new_submission("mine", "torch", "class", tmp_path)
    code = submission.files[0].read_text().replace('{"moments": self.moments}', '{"moments": {}}')
    submission.files[0].write_text(code.replace('state["moments"].items()', "self.moments.items()"))
    verdict, detail = check_submission("./mine")["state"]
    assert (verdict, "restored, it trains on otherwise" in detail) == ("fail", True)
