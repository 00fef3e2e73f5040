"""Which submission a name, a path or an import path means, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.resolution import CONTENT_LIMIT_BYTES, locate, resolve
from tests.kit import SPACE, space, write_submission


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write_submission(tmp_path / "mine")


def test_a_known_name_is_found_relative_to_the_package() -> None:
    found = resolve("adamw")
    assert found.ref.location == "submissions/adamw"
    assert set(found.frameworks) == {"torch", "jax"}
    assert Path(locate(found.ref, "torch").place).is_dir()


def test_a_folder_is_found_by_path(mine: Path) -> None:
    found = resolve(str(mine))
    assert (found.ref.name, found.ref.location) == ("mine", str(mine))
    assert found.frameworks == ("torch",)
    assert locate(found.ref, "torch").place == str(mine)


def test_a_file_is_found_by_path(mine: Path) -> None:
    file = (mine / "submission.py").rename(mine / "fast.py")
    found = resolve(str(file))
    assert (found.ref.name, found.ref.location) == ("fast", str(file))


def test_a_framework_that_nobody_has_is_refused_by_name(mine: Path) -> None:
    (mine / "space.toml").write_text(SPACE.replace('"torch"', '"torhc"'))
    for place in (mine, mine / "submission.py"):
        with pytest.raises(HarnessError, match="'torhc'; did you mean 'torch'"):
            resolve(str(place))


def test_content_and_not_place_decides_the_hash(mine: Path) -> None:
    before = resolve(str(mine)).ref.content_hash
    moved = mine.rename(mine.with_name("moved"))
    assert resolve(str(moved)).ref.content_hash == before
    (moved / "__pycache__").mkdir()
    (moved / "__pycache__" / "submission.pyc").write_bytes(b"x")
    assert resolve(str(moved)).ref.content_hash == before
    (moved / "notes.txt").write_text("more")
    assert resolve(str(moved)).ref.content_hash != before


def test_prose_moves_the_hash_of_the_bytes_alone(mine: Path) -> None:
    before = resolve(str(mine))
    (mine / "submission.py").write_text(
        '"""Mine."""\n\ndef build(problem, hyperparameters):\n    ...  # nothing yet\n'
    )
    (mine / "space.toml").write_text(f"# Tuned by hand.\n{SPACE}")
    after = resolve(str(mine))
    assert after.ref == before.ref
    assert after.files != before.files
    assert locate(before.ref, "torch").files == after.files
    assert locate(before.ref, "torch").place == str(mine)


@pytest.mark.parametrize("file", ["__init__.py", "inner/__init__.py", "inner/more.py"])
def test_every_file_of_a_local_package_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    package = tmp_path / "local_package"
    for name in ("__init__.py", "inner/__init__.py", "inner/more.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = resolve("local_package:Thing")
    (package / file).write_text("x = 1  # one\n")
    assert resolve("local_package:Thing").ref == before.ref
    assert resolve("local_package:Thing").files != before.files
    (package / file).write_text("x = 2\n")
    assert resolve("local_package:Thing").ref != before.ref


def test_a_change_after_planning_is_refused(mine: Path) -> None:
    ref = resolve(str(mine)).ref
    (mine / "submission.py").write_text("def build(problem, hyperparameters): return 1\n")
    with pytest.raises(HarnessError, match="has changed since"):
        locate(ref, "torch")


def test_more_than_the_limit_is_refused(mine: Path) -> None:
    (mine / "table.txt").write_bytes(b"x" * CONTENT_LIMIT_BYTES)
    with pytest.raises(HarnessError, match=f"{CONTENT_LIMIT_BYTES} bytes are allowed"):
        resolve(str(mine))


def test_a_link_out_of_the_folder_is_refused(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"secret")
    (mine / "weights.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(HarnessError, match="links to"):
        resolve(str(mine))


def test_a_missing_space_is_named(mine: Path) -> None:
    (mine / "space.toml").unlink()
    with pytest.raises(HarnessError, match=r"space\.toml is missing"):
        resolve(str(mine))


def test_a_declared_framework_needs_its_file(mine: Path) -> None:
    (mine / "space.toml").write_text(space("torch", "jax"))
    with pytest.raises(HarnessError, match=r"submission_jax\.py is missing"):
        resolve(str(mine))


def test_a_framework_that_it_lacks_is_refused(mine: Path) -> None:
    with pytest.raises(HarnessError, match="has no jax version"):
        resolve(str(mine)).require("jax")


def test_an_unknown_name_says_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'nadamw'(.|\n)*torch\.optim:Adagrad"):
        resolve("nadamv")


@pytest.mark.parametrize("text", ["torch.optim:", ":Adam", "torch-optim:Adam", "a:b:c"])
def test_a_malformed_import_path_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="no import path"):
        resolve(text)


def test_an_import_path_of_a_missing_module_is_refused() -> None:
    with pytest.raises(HarnessError, match="no module 'no_such_module'"):
        resolve("no_such_module.inner:Thing")


def test_an_import_path_is_resolved_without_importing_it() -> None:
    code = (
        "import sys; from harness.submission.resolution import resolve; "
        "assert resolve('torch.optim:Adagrad').space.space; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
