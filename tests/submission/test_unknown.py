"""What a mistyped `--submission` is told."""

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.submission.resolution import resolve
from tests.kit import write_submission


@pytest.fixture(autouse=True)
def _beside_a_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_submission(tmp_path / "mine", "")
    (tmp_path / "mien_notes").mkdir()
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("./mien", "./mine"),
        ("./Mine/", "./mine"),
        ("mien", "./mine"),
        ("inside/../mien", "inside/../mine"),
        ("~/mien", "~/mine"),
        ("mine/submision.py", "mine/submission.py"),
        ("algoperf:./mien", "algoperf:./mine"),
        ("muno", "muon"),
    ],
)
def test_the_nearest_is_suggested(text: str, meant: str) -> None:
    with pytest.raises(HarnessError) as error:
        resolve(text)
    assert error.value.message.endswith(f"; did you mean '{meant}'?")


@pytest.mark.parametrize("text", ["./elsewhere", "no/mine", "elsewhere.py", "algoperf:./other"])
def test_without_one_like_it_none_is_suggested(text: str) -> None:
    with pytest.raises(HarnessError, match="there is no") as error:
        resolve(text)
    assert "did you mean" not in str(error.value)
