"""Which folder, name, frameworks and files `algoperf:PATH` stands for."""

import json
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.plan.redraw import mismatches
from harness.submission.files import CONTENT_LIMIT_BYTES
from harness.submission.planned import locate, worker_paths
from harness.submission.resolution import resolve

SPACE = {"learning_rate": {"min": 1e-3, "max": 1e-2, "scaling": "log"}}


def write(folder: Path, imports: str = "import torch", **files: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "submission.py").write_text(imports)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("imports", "frameworks"),
    [("import torch", ("torch",)), ("import jax.numpy as jnp\nimport optax", ("jax",))],
)
def test_a_submission_is_of_the_framework_that_it_imports(
    tmp_path: Path, imports: str, frameworks: tuple[str, ...]
) -> None:
    result = resolve(f"algoperf:{write(tmp_path / 'lion', imports)}")
    assert (result.ref.name, result.frameworks) == ("algoperf-lion", frameworks)
    assert result.ref.location == f"algoperf:{tmp_path}/lion/submission.py"
    assert not result.is_import_path


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("nadamw/pytorch", "algoperf-nadamw-pytorch"),
        ("nadamw/jax", "algoperf-nadamw-jax"),
        ("self_tuning/muon_torch", "algoperf-muon_torch"),
    ],
)
def test_a_folder_that_is_called_like_a_framework_is_named_with_the_one_above(
    tmp_path: Path, folder: str, name: str
) -> None:
    assert resolve(f"algoperf:{write(tmp_path / folder)}").ref.name == name


def test_another_file_of_the_folder_may_be_the_entry(tmp_path: Path) -> None:
    folder = write(tmp_path / "targets", pytorch_adamw="import torch")
    result = resolve(f"algoperf:{folder}/pytorch_adamw.py")
    assert result.ref.name == "algoperf-pytorch_adamw"
    assert set(result.contents) == {"submission.py", "pytorch_adamw.py"}


def test_its_own_tests_are_no_part_of_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "shampoo", helper="x = 1", helper_test="x = 1")
    for name in ("tests", "examples"):
        write(folder / name)
    (folder / "tests" / "large.bin").write_bytes(bytes(CONTENT_LIMIT_BYTES))
    assert set(resolve(f"algoperf:{folder}").contents) == {"submission.py", "helper.py"}


def test_the_hash_covers_every_file_of_the_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "muon", helper="steps = 5")
    before = resolve(f"algoperf:{folder}").ref.content_hash
    (folder / "helper.py").write_text("steps = 6")
    assert resolve(f"algoperf:{folder}").ref.content_hash != before


def test_what_lies_beside_its_folder_belongs_to_it_where_it_imports_that(tmp_path: Path) -> None:
    """As in a published repository; nothing above its root is looked at."""
    (tmp_path / "rates.py").write_text("x = 1")
    root = tmp_path / "repository"
    folder = root / "submissions" / "external_tuning" / "muon"
    write(folder, "import torch, rates\nfrom submissions.external_tuning.common import steps")
    common = folder.parent / "common"
    common.mkdir()
    for name in ("__init__", "steps", "other"):
        (common / f"{name}.py").write_text("" if name != "__init__" else "from .steps import n")
    (root / ".git").mkdir()
    before = resolve(f"algoperf:{folder}")
    beside = {f"_beside/submissions/external_tuning/common/{n}.py" for n in ("__init__", "steps")}
    assert set(before.contents) == {"submission.py", *beside}
    (common / "steps.py").write_text("n = 7")
    assert resolve(f"algoperf:{folder}").ref.content_hash != before.ref.content_hash


def test_a_worker_is_told_of_the_entry_in_its_copy(tmp_path: Path) -> None:
    folder = write(tmp_path / "muon", helper="steps = 5")
    submission = locate(resolve(f"algoperf:{folder}").ref, "torch")
    assert worker_paths(submission, Path("/copy")) == ("algoperf:/copy/submission.py", "")
    assert set(submission.contents) == {"submission.py", "helper.py"}


def test_the_search_space_in_the_folder_is_the_submissions_own(tmp_path: Path) -> None:
    folder = write(tmp_path / "lion")
    (folder / "tuning_search_space.json").write_text(json.dumps(SPACE))
    trial = plan(PlanRequest("mlp", f"algoperf:{folder}")).trials[0]
    assert trial.point.keys() == {"learning_rate"}
    assert not trial.submission.space
    assert not list(mismatches([trial], None))


@pytest.mark.parametrize("rate", ["dropout_rate", "aux_dropout_rate"])
def test_dropout_that_a_model_has_not_is_refused_in_every_point_before_planning(
    tmp_path: Path, rate: str
) -> None:
    folder = write(tmp_path / "lion")
    points = [{"learning_rate": 1e-3, rate: value} for value in (0.0, 0.0, 0.1)]
    (folder / "tuning_search_space.json").write_text(json.dumps(points))
    with pytest.raises(HarnessError, match=f"{rate} is 0.1") as error:
        plan(PlanRequest("mlp", f"algoperf:{folder}"))
    assert f"--set {rate}=0.0" in (error.value.hint or "")
    plan(PlanRequest("mlp", f"algoperf:{folder}", settings={rate: 0.0}))


def test_dropout_is_planned_where_the_model_has_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "lion")
    (folder / "tuning_search_space.json").write_text(json.dumps([{"dropout_rate": 0.1}]))
    assert plan(PlanRequest("rnn", f"algoperf:{folder}")).trials[0].point == {"dropout_rate": 0.1}


def test_what_is_no_submission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for text in (f"algoperf:{tmp_path}/empty", f"algoperf:{tmp_path}/none"):
        with pytest.raises(HarnessError, match="no Python file"):
            resolve(text)
    with pytest.raises(HarnessError, match="line 1: invalid syntax"):
        resolve(f"algoperf:{write(tmp_path / 'twice', 'import torch import jax')}")
    with pytest.raises(HarnessError, match="imports none of"):
        resolve(f"algoperf:{write(tmp_path / 'tf', 'import tensorflow')}")
