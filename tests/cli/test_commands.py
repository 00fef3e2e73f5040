"""The command line without any training: help, lists, versions, and what is said of mistakes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from harness.cli.app import app, main
from harness.plan.plan import PlanRequest, plan
from harness.submission.space import parse_space

HEAVY = ("torch", "jax", "pandas", "scipy", "matplotlib", "docker")


class Shell:
    """Calls the command line's main function inside this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["harness", *arguments])
        with pytest.raises(SystemExit) as error:
            main()
        output = self._capsys.readouterr()
        return int(error.value.code or 0), output.out, output.err


@pytest.fixture
def harness(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom harness.cli.app import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit: pass\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "loaded: []" in process.stdout
    for command in ("run", "trial", "list", "calibrate", "score", "report"):
        assert command in process.stdout


def test_version_is_shown(harness: Shell) -> None:
    code, out, _ = harness("--version")
    assert code == 0
    assert out.startswith("harness 0.")


@pytest.mark.parametrize(
    ("kind", "name"), [("submissions", "muon"), ("workloads", "mlp"), ("suites", "quick")]
)
def test_lists_say_what_can_be_run(harness: Shell, kind: str, name: str) -> None:
    assert name in harness("list", kind)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "workload"], "did you mean 'workloads'"),
        (["run", "--workload", "mpl", "--submission", "muon"], "did you mean 'mlp'"),
        (["run", "--workload", "mlp", "--submission", "muno"], "did you mean 'muon'"),
        (["run", "--suite", "quik", "--workload", "mlp", "--submission", "muon"], "'quick'"),
        (["run", "--framework", "troch", "--workload", "mlp", "--submission", "muon"], "'torch'"),
        (["run", "--ruleset", "slef", "--workload", "mlp", "--submission", "muon"], "'self'"),
        (["run", "--device", "cuba", "--workload", "mlp", "--submission", "muon"], "'cuda'"),
        (["run", "--sandbox", "plan", "--workload", "mlp", "--submission", "muon"], "'plain'"),
        (["run", "--data-dir", "/no", "--workload", "mlp", "--submission", "muon"], "/no"),
        (["run", "--threads", "0", "--workload", "mlp", "--submission", "muon"], "--threads 0"),
        (["run", "--executor", "locla", "--submission", "muon"], "'local'"),
        (["run", "--variant", "bsae", "--workload", "mlp", "--submission", "muon"], "'base'"),
        (["run", "--sink", "wnadb", "--submission", "muon"], "'wandb'"),
        (["run", "--budget-scale", "nan", "--submission", "muon"], "--budget-scale nan"),
        (["run", "--set", "beta=0.9", "--submission", "muon"], "hyperparameter 'beta'"),
        (["run", "--space", "no.toml", "--submission", "muon"], "--space no.toml is not a file"),
        (["site", "store", "--allow", "mixed-seeds"], "unknown rule 'mixed-seeds'"),
        (["trial", "missing.json", "--store", "s"], "missing.json"),
        (["calibrate", "--workload", "mpl"], "did you mean 'mlp'"),
    ],
)
def test_a_mistake_is_a_message_and_exit_code_2(
    harness: Shell, arguments: list[str], words: str, tmp_path: Path
) -> None:
    code, _, error = harness(*arguments)
    assert code == 2
    assert words in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "guess", "known"),
    [
        (["--workload", "mpl"], "mlp", "lm, mlp, resnet, rnn"),
        (["--workload", "platau"], "plateau", "lm, mlp, resnet, rnn"),
        (["--suite", "landscapes", "--workload", "rosenbrok"], "rosenbrock", "noisy_quadratic, "),
    ],
)
@pytest.mark.parametrize("command", [["run", "--submission", "adamw"], ["check", "adamw"]])
def test_a_mistyped_workload_lists_those_of_the_suite(
    harness: Shell, command: list[str], flags: list[str], guess: str, known: str
) -> None:
    code, _, error = harness(*command, *flags)
    assert code == 2
    assert f"did you mean '{guess}'?\n  known: {known}" in error
    assert "spike" not in error


def test_a_mistyped_flag_gets_a_suggestion(harness: Shell) -> None:
    code, _, error = harness("run", "--workload", "mlp", "--submision", "muon")
    assert code == 2
    assert "--submission" in error


def test_a_missing_space_prints_one_to_paste(harness: Shell, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "submission.py").write_text("")
    code, _, error = harness("run", "--workload", "mlp", "--submission", "./mine")
    assert code == 2
    parts = error.partition("summary =")
    assert parse_space(f"{parts[1]}{parts[2]}").space.keys() == {"learning_rate"}


def test_a_malformed_space_names_file_and_key(harness: Shell, tmp_path: Path) -> None:
    (tmp_path / "submission.py").write_text("")
    (tmp_path / "space.toml").write_text('summary = "s"\nfamily = 1\n')
    code, _, error = harness("run", "--workload", "mlp", "--submission", str(tmp_path))
    assert code == 2
    assert str(tmp_path / "space.toml") in error
    assert "'family' is 1" in error


@pytest.mark.parametrize(
    ("key", "name"), [("variant", "../../elsewhere"), ("workload", "../elsewhere")]
)
def test_a_trial_of_unknown_names_makes_no_folder(
    harness: Shell, tmp_path: Path, key: str, name: str
) -> None:
    (trial,) = plan(PlanRequest("mlp", "adamw", ruleset="self")).trials
    (tmp_path / "trial.json").write_text(trial.model_copy(update={key: name}).model_dump_json())
    status, _, output = harness("trial", "trial.json", "--store", "store")
    assert (status, f"unknown {key} '{name}'" in output) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["trial.json"]


def test_a_shell_completes_commands_and_flags() -> None:
    code = "import sys; sys.argv[0] = 'harness'\nfrom harness.cli.app import main; main()"
    for words, completion in (("harness che", "check"), ("harness run --subm", "--submission")):
        variables = {"_HARNESS_COMPLETE": "complete_bash", "COMP_WORDS": words}
        process = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **variables, "COMP_CWORD": str(words.count(" "))},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert completion in process.stdout.split()


def commands_of(group: TyperGroup) -> Iterator[TyperCommand]:
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            yield from commands_of(command)
        elif isinstance(command, TyperCommand):
            yield command


def test_the_terminal_breaks_the_lines_of_every_help() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    texts = [command.help or "" for command in commands_of(group)]
    assert all(texts)
    assert not [text for text in texts if "\n" in text.replace("\n\n", "")]
    assert any("\n\n" in text for text in texts)


@pytest.mark.parametrize(
    ("workload", "hint"), [("mlp", "known: 128, 256, 512"), ("resnet", "leave out --width")]
)
def test_an_unknown_width_names_the_known_ones(workload: str, hint: str, harness: Shell) -> None:
    code, _, err = harness(
        "plan", "--submission", "adamw", "--workload", workload, "--width", "100"
    )
    assert code == 2
    assert f"{workload} of suite quick has no width 100" in err
    assert hint in err


def test_a_device_of_another_name_is_not_taken_for_the_processor(harness: Shell) -> None:
    code, _, err = harness("plan", "--submission", "adamw", "--workload", "mlp", "--device", "gpu")
    assert (code, "did you mean 'cuda'?" in err) == (2, True)


def test_a_workload_of_another_suite_is_named_with_its_own(harness: Shell) -> None:
    names = ("--workload", "mlp", "--workload", "rosenbrock")
    code, _, err = harness("plan", "--submission", "adamw", *names)
    assert code == 2
    assert "workload 'rosenbrock' is not in suite 'quick'\n  its suites: landscapes" in err
