"""The folder in which a worker finds its training data."""

from pathlib import Path

import pytest

from harness.sandboxes.view import empty_view, show


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    split = tmp_path / "instances" / "key" / "train"
    split.mkdir(parents=True)
    (split / "inputs.npy").write_bytes(b"data")
    return split.parent


def test_a_view_is_empty_until_it_is_shown_and_gone_afterwards(instance: Path) -> None:
    with empty_view(instance) as view:
        assert not list(view.iterdir())
        show(instance / "train", view)
        assert (view / "inputs.npy").read_bytes() == b"data"
        assert (view / "inputs.npy").samefile(instance / "train" / "inputs.npy")
    assert not view.exists()
    assert (instance / "train" / "inputs.npy").exists()


def test_nothing_of_the_instance_stands_beside_a_view(instance: Path) -> None:
    with empty_view(instance) as view:
        assert "key" not in str(view)
        assert list(view.parent.iterdir()) == [view]
