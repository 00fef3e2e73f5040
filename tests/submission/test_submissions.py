"""Which submission a name, a path or an import path means, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError, UnknownNameError
from harness.providers.table import SUBMISSIONS_ROOT
from harness.submission.files import CONTENT_LIMIT_BYTES
from harness.submission.planned import locate
from harness.submission.resolution import resolve, shared_contents
from tests.kit import SPACE, space, write_submission


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write_submission(tmp_path / "mine")


def test_a_known_name_is_found_relative_to_the_package() -> None:
    result = resolve("adamw")
    assert result.ref.location == "submissions/adamw"
    assert set(result.frameworks) == {"torch", "jax"}
    assert Path(locate(result.ref, "torch").place).is_dir()


def test_one_that_ships_counts_with_what_it_imports_from_beside_it_alone() -> None:
    names = set(shared_contents(SUBMISSIONS_ROOT / "soap_muon"))
    assert {"common/two_sided.py", "soap/submission.py", "muon/submission_jax.py"} <= names
    assert not names & {"soap_muon/submission.py", "common/kronecker_factors.py"}


def test_a_folder_is_found_by_path(mine: Path) -> None:
    result = resolve(str(mine))
    assert (result.ref.name, result.ref.location) == ("mine", str(mine))
    assert result.frameworks == ("torch",)
    assert locate(result.ref, "torch").place == str(mine)


def test_a_file_is_found_by_path(mine: Path) -> None:
    file = (mine / "submission.py").rename(mine / "fast.py")
    result = resolve(str(file))
    assert (result.ref.name, result.ref.location) == ("fast", str(file))


def test_a_framework_that_nobody_has_is_refused_by_name(mine: Path) -> None:
    (mine / "space.toml").write_text(SPACE.replace('"torch"', '"torhc"'))
    for place in (mine, mine / "submission.py"):
        with pytest.raises(HarnessError, match="'torhc'; did you mean 'torch'"):
            resolve(str(place))


def test_content_and_not_place_decides_the_hash(mine: Path) -> None:
    before = resolve(str(mine)).ref.content_hash
    new_place = mine.rename(mine.with_name("moved"))
    assert resolve(str(new_place)).ref.content_hash == before
    (new_place / "__pycache__").mkdir()
    (new_place / "__pycache__" / "submission.pyc").write_bytes(b"x")
    assert resolve(str(new_place)).ref.content_hash == before
    (new_place / "notes.txt").write_text("more")
    assert resolve(str(new_place)).ref.content_hash != before


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


def test_a_change_after_planning_is_refused(mine: Path) -> None:
    ref = resolve(str(mine)).ref
    (mine / "submission.py").write_text("def build(problem, hyperparameters): return 1\n")
    with pytest.raises(HarnessError, match="has changed since"):
        locate(ref, "torch")


def test_more_than_the_limit_is_refused(mine: Path) -> None:
    (mine / "table.txt").write_bytes(b"x" * CONTENT_LIMIT_BYTES)
    with pytest.raises(HarnessError, match=f"{CONTENT_LIMIT_BYTES} bytes are allowed"):
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


@pytest.mark.parametrize("name", ["$x^$", "[red]a", "a b", "a\x1b[2J", "-rf", "x" * 65])
def test_a_name_that_is_none_is_refused(mine: Path, name: str) -> None:
    place = mine.rename(mine.with_name(name))
    with pytest.raises(HarnessError, match=r"(?s)^submission '.*at most 64 characters"):
        resolve(str(place))
