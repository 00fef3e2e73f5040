"""The CIFAR-10 reader: archive and folder, and pickles that are refused."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from tests.workloads.cifar_made import EXAMPLES, write_archive, write_folder
from workloads.data import cifar10
from workloads.mlp.data import prepare
from workloads.spec import Data

pytestmark = pytest.mark.usefixtures("small_batches")


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def test_archive_folder_and_their_parent_are_all_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path, monkeypatch)
    folder = tmp_path / "packing" / cifar10.FOLDER
    for place in (archive, tmp_path, folder, folder.parent):
        data = cifar10.load(place)
        assert data.train.images.shape == (5 * EXAMPLES, 3072)
        assert data.test.labels.shape == (EXAMPLES,)
    assert np.array_equal(cifar10.load(archive).train.images, cifar10.load(folder).train.images)


def test_a_pickle_that_calls_anything_is_refused_and_not_run(tmp_path: Path) -> None:
    folder, marker = write_folder(tmp_path), tmp_path / "ran"
    content = {b"data": Malicious(marker), b"labels": []}
    (folder / "data_batch_3").write_bytes(pickle.dumps(content))
    with pytest.raises(HarnessError, match=r"data_batch_3: it refers to (posix|nt)\.system"):
        cifar10.load(tmp_path)
    assert not marker.exists()


APPENDS_TO_A_NUMBER = b"\x80\x03K\x01K\x02a."
BYTES_WITHOUT_END = b"\x80\x03\x8e" + (2**62).to_bytes(8, "little") + b"."


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", b"\x80\x03}q\x00(", APPENDS_TO_A_NUMBER, BYTES_WITHOUT_END]
)
def test_a_damaged_pickle_is_refused(content: bytes) -> None:
    with pytest.raises(
        HarnessError, match=r"refused to read batch(.|\n)*harness data prepare cifar10"
    ):
        cifar10.read_pickle(content, "batch")


def test_a_damaged_type_does_not_kill_the_process() -> None:
    pickled = pickle.dumps(np.arange(6, dtype=np.uint8), protocol=3)
    # The type's state loses an element; numpy itself dies of that.
    damaged = pickled.replace(b"NNNJ", b"NNbJ")
    assert damaged != pickled
    assert np.array_equal(cifar10.read_pickle(damaged, "batch"), np.arange(6))


@pytest.mark.parametrize("array", [np.zeros(2), np.array([None]), np.array([{}, "a"])])
def test_an_array_of_anything_but_bytes_is_refused(array: np.ndarray) -> None:
    with pytest.raises(
        HarnessError, match=r"refused to read batch: it has an array of dtype '(f8|O8)'"
    ):
        cifar10.read_pickle(pickle.dumps(array, protocol=3), "batch")


def test_what_python_2_wrote_is_read() -> None:
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06abcdeftb"
    )
    batch = cifar10.read_pickle(b"\x80\x02}U\x04data" + array + b"s.", "batch")
    assert batch[b"data"].tobytes() == b"abcdef"
    assert batch[b"data"].shape == (2, 3)


def test_both_names_of_numpys_reconstruction_are_known() -> None:
    pickled = pickle.dumps(np.arange(6, dtype=np.uint8), protocol=3)
    assert b"numpy._core.multiarray" in pickled
    for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        array = cifar10.read_pickle(pickled.replace(b"numpy._core.multiarray", name), "batch")
        assert np.array_equal(array, np.arange(6))


def test_another_archive_is_refused_by_its_md5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path, monkeypatch)
    monkeypatch.undo()
    with pytest.raises(HarnessError, match="official archive has c58f30108f718f92721af3b95e74349a"):
        cifar10.load(archive)


def test_no_data_names_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as error:
        cifar10.load(tmp_path)
    for way in (str(tmp_path), "harness data prepare cifar10", "--from PATH", "--data-dir DIR"):
        assert way in str(error.value)


@pytest.mark.parametrize("name", ["cifar-10-binary.tar.gz", "cifar-10-batches-bin/test_batch.bin"])
def test_the_binary_version_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"images")
    top, *_ = Path(name).parts
    for place in (tmp_path, tmp_path / top):
        with pytest.raises(HarnessError) as error:
            cifar10.load(place)
        message = f"{tmp_path / top} is the binary version, the python version is needed"
        assert message in str(error.value)
        assert "where PATH is cifar-10-python.tar.gz" in str(error.value)


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    (write_folder(tmp_path) / "data_batch_4").unlink()
    with pytest.raises(HarnessError, match="has no data_batch_4"):
        cifar10.load(tmp_path)


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    content = {b"data": np.zeros((EXAMPLES, 12), np.uint8), b"labels": [0] * EXAMPLES}
    (write_folder(tmp_path) / "test_batch").write_bytes(pickle.dumps(content, protocol=3))
    with pytest.raises(HarnessError, match=r"images of shape \(20, 12\)"):
        cifar10.load(tmp_path)


def test_the_first_images_train_and_the_last_validate(tmp_path: Path) -> None:
    write_folder(tmp_path)
    data = Data(source="cifar10", settings={"train": 60, "validation": 40})
    prepare(data, "1" * 32, tmp_path / "out", tmp_path)
    labels = cifar10.load(tmp_path).train.labels
    assert np.array_equal(np.load(tmp_path / "out/train/targets.npy"), labels[:60])
    assert np.array_equal(np.load(tmp_path / "out/validation/targets.npy"), labels[60:])
    assert np.load(tmp_path / "out/test/inputs.npy").shape == (EXAMPLES, 256)
    overlapping = Data(source="cifar10", settings={"train": 61, "validation": 40})
    with pytest.raises(HarnessError, match="CIFAR-10 has 100 examples to split"):
        prepare(overlapping, "1" * 32, tmp_path / "out", tmp_path)
