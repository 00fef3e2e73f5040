"""What all ways to write a submission share: importing, defaults, and error messages."""

from pathlib import Path
from textwrap import dedent

import pytest

from harness.core.errors import HarnessError, UnknownNameError
from tests.frameworks.kit import Kit

FILES = {"torch": "submission.py", "jax": "submission_jax.py"}


def write(folder: Path, kit: Kit, text: str) -> Path:
    file = folder / FILES[kit.framework]
    file.write_text(dedent(text))
    return file


def test_a_folder_without_the_frameworks_file_says_so(kit: Kit, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=f"has no {FILES[kit.framework]}"):
        kit.backend.submission(str(tmp_path), {})


def test_a_location_with_nothing_says_what_is_allowed(kit: Kit, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="give a folder, a file, or an import path"):
        kit.backend.submission(str(tmp_path / "nothing"), {})


def test_a_file_with_neither_entry_says_so(kit: Kit, tmp_path: Path) -> None:
    file = write(tmp_path, kit, "def make(problem): ...")
    with pytest.raises(HarnessError, match="neither a function 'build' nor a class 'Submission'"):
        kit.backend.submission(str(file), {})


def test_a_class_without_step_says_so(kit: Kit, tmp_path: Path) -> None:
    text = """
        class Submission:
            def setup(self, problem, hyperparameters): ...
    """
    with pytest.raises(HarnessError, match="class 'Submission' has no method step"):
        kit.backend.submission(str(write(tmp_path, kit, text)), {})


@pytest.mark.parametrize(
    ("text", "error"),
    [("def build(:", SyntaxError), ("import not_there", ImportError), ("1 / 0", ZeroDivisionError)],
)
def test_what_a_submission_raises_passes_through(
    kit: Kit, tmp_path: Path, text: str, error: type[Exception]
) -> None:
    file = write(tmp_path, kit, text)
    with pytest.raises(error) as caught:
        kit.backend.submission(str(tmp_path), {})
    raised, last = caught.value, caught.traceback[-1]
    place = raised.filename if isinstance(raised, SyntaxError) else str(last.path)
    assert place == str(file)


def test_equally_named_siblings_of_two_submissions_do_not_meet(kit: Kit, tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / f"entry_{number}"
        folder.mkdir()
        (folder / "helper.py").write_text(f"NUMBER = {number}")
        write(folder, kit, "from .helper import NUMBER\ndef build(problem, hyperparameters):\n"
                             "    raise LookupError(NUMBER)")  # fmt: skip
    for number in (1, 2):
        with pytest.raises(LookupError, match=str(number)):
            kit.submission(tmp_path / f"entry_{number}")


def test_a_module_that_is_not_installed_says_how_to_get_it(kit: Kit) -> None:
    with pytest.raises(HarnessError, match="no module 'no_such_library' is installed"):
        kit.backend.submission("no_such_library.optim:Adam", {})


def test_a_misspelt_name_in_a_module_is_named() -> None:
    with pytest.raises(UnknownNameError, match="'AdamV'; did you mean 'Adam"):
        Kit("torch").backend.submission("torch.optim:AdamV", {})
    with pytest.raises(UnknownNameError, match="'adamv'; did you mean 'adam"):
        Kit("jax").backend.submission("optax:adamv", {})


def test_what_is_no_optimizer_is_refused() -> None:
    with pytest.raises(HarnessError, match="is not a torch optimizer class"):
        Kit("torch").backend.submission("torch.nn:Linear", {})
    with pytest.raises(HarnessError, match="is not a function that makes an optax transformation"):
        Kit("jax").backend.submission("optax:losses", {})


def test_build_must_return_an_optimizer(kit: Kit, tmp_path: Path) -> None:
    file = write(tmp_path, kit, "def build(problem, hyperparameters):\n    return 3")
    with pytest.raises(HarnessError, match="int"):
        kit.submission(file)
