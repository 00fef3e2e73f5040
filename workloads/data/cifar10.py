"""CIFAR-10 from the official python archive or its unpacked folder, without running its pickles.

The archive holds pickled dictionaries of numpy arrays. A pickle is a program; this reader resolves
only the three names that such an array needs, to harmless stand-ins, and refuses all others.
"""

from __future__ import annotations

import hashlib
import io
import math
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.core.errors import HarnessError
from workloads.data.paths import default_data_dir
from workloads.spec import Count, Frozen

ARCHIVE = "cifar-10-python.tar.gz"
FOLDER = "cifar-10-batches-py"
BINARY = "cifar-10-*bin*"
"""Names of the binary version of the same images, which is not supported."""
MD5 = "c58f30108f718f92721af3b95e74349a"
TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_BATCH = "test_batch"
BATCHES = (*TRAIN_BATCHES, TEST_BATCH)
BATCH_EXAMPLES = 10_000
IMAGE_BYTES = 3072
WAYS_OUT = (
    "with network: harness data prepare cifar10\n"
    f"  without: harness data prepare cifar10 --from PATH, where PATH is {ARCHIVE} or {FOLDER};\n"
    f"  or --data-dir DIR, where DIR holds one of them"
)
AGAIN = f"to download it again\n  {WAYS_OUT}"


class Batch(NamedTuple):
    """Images (n, 3072), by channel, then row, and labels (n,)."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


class Cifar10(NamedTuple):
    """The 50,000 training and 10,000 test examples, in the archive's order."""

    train: Batch
    test: Batch


class CifarSettings(Frozen):
    """Split of the 50,000 training images: the first for training, the last for validation."""

    train: Count = 40_000
    validation: Count = 10_000


class _Bytes(np.ndarray[Any, np.dtype[np.uint8]]):
    """An array that takes only its shape and bytes from a pickle."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, is_fortran, content = state
        if not isinstance(kind, _ByteType) or math.prod(shape) != len(content):
            raise pickle.UnpicklingError(
                "its array does not hold bytes, or not as many as its shape needs"
            )
        super().__setstate__((1, shape, np.dtype(np.uint8), is_fortran, content))


class _ByteType:
    """Stand-in for numpy's dtype, which crashes on a damaged state."""

    def __init__(self, code: object, *_: object) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"it has an array of dtype {code!r}; allowed: u1")

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and similar state, which do not apply to bytes."""


def _no_bytes(*_: object) -> _Bytes:
    return np.empty(0, np.uint8).view(_Bytes)


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _no_bytes,
    ("numpy._core.multiarray", "_reconstruct"): _no_bytes,
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _ByteType,
}
"""Stand-ins for the three names; `ndarray` only occurs as an argument."""


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return _ALLOWED[module, name]


def read_pickle(content: bytes, name: str) -> Any:
    """Read a pickle of only numbers, strings, lists, dictionaries and byte arrays.

    Raises:
        HarnessError: the pickle is damaged or contains any other object.
    """
    try:
        return _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:
        # A damaged pickle can raise anything: AttributeError, MemoryError, ...
        raise HarnessError(
            f"refused to read {name}: {error or type(error).__name__}",
            f"a CIFAR-10 batch contains only arrays, lists and strings; {AGAIN}",
        ) from error


def load(data_dir: Path | None) -> Cifar10:
    """Read the dataset from a folder that contains the archive or the unpacked folder.

    Args:
        data_dir: the folder, or the archive or the unpacked folder itself; None for
            `default_data_dir()`.

    Raises:
        HarnessError: nothing is found, or it is not CIFAR-10.
    """
    sources = files(data_dir)
    contents = {file.name: file.read_bytes() for file in sources}
    if sources[0].name not in BATCHES:
        contents = read_archive(sources[0])
    return _assemble(contents, sources[0])


def split(settings: CifarSettings, data_dir: Path | None) -> dict[str, Batch]:
    """The splits `train`, `validation` and `test`; arguments and errors as `load`.

    Raises:
        HarnessError: also if the settings need more examples than there are.
    """
    whole = load(data_dir)
    train, rest = settings.train, len(whole.train.labels) - settings.validation
    if train > rest:
        raise HarnessError(
            f"CIFAR-10 has {len(whole.train.labels)} examples to split, too few for {train} "
            f"training and {settings.validation} validation examples",
            "lower `train` or `validation` in the data settings of workload.toml",
        )
    return {
        "train": Batch(whole.train.images[:train], whole.train.labels[:train]),
        "validation": Batch(whole.train.images[rest:], whole.train.labels[rest:]),
        "test": whole.test,
    }


def files(data_dir: Path | None) -> tuple[Path, ...]:
    """The archive, or the six batches of the unpacked folder; arguments and errors as `load`."""
    place = data_dir if data_dir is not None else default_data_dir()
    for candidate in (place, place / FOLDER, place / ARCHIVE):
        if candidate.is_file() and not candidate.match(BINARY):
            return (candidate,)
        if (candidate / TEST_BATCH).is_file():
            return tuple(candidate / name for name in BATCHES if (candidate / name).is_file())
    binary = next((file for file in (place, *place.glob("*")) if file.match(BINARY)), None)
    hint = f": {binary} is the binary version, the python version is needed" if binary else ""
    raise HarnessError(f"no CIFAR-10 in {place}{hint}", WAYS_OUT)


def check_md5(archive: Path) -> None:
    """Compare an archive's MD5 with the published one.

    Raises:
        HarnessError: they differ.
    """
    with archive.open("rb") as stream:
        digest = hashlib.file_digest(stream, "md5").hexdigest()
    if digest != MD5:
        raise HarnessError(f"{archive} has MD5 {digest}, the official archive has {MD5}", WAYS_OUT)


def read_archive(archive: Path) -> dict[str, bytes]:
    """Read the batches' bytes by name, without unpacking the archive."""
    check_md5(archive)
    batches = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            stream = tar.extractfile(member) if name in BATCHES else None
            if stream is not None:
                batches[name] = stream.read()
    return batches


def _assemble(contents: Mapping[str, bytes], place: Path) -> Cifar10:
    missing = [name for name in BATCHES if name not in contents]
    if missing:
        raise HarnessError(f"{place} has no {', '.join(missing)}", WAYS_OUT)
    train = [_batch(contents[name], f"{place}: {name}") for name in TRAIN_BATCHES]
    images = np.concatenate([batch.images for batch in train])
    labels = np.concatenate([batch.labels for batch in train])
    return Cifar10(Batch(images, labels), _batch(contents[TEST_BATCH], f"{place}: {TEST_BATCH}"))


def _batch(content: bytes, name: str) -> Batch:
    value = read_pickle(content, name)
    images = value.get(b"data") if isinstance(value, dict) else None
    labels = value.get(b"labels") if isinstance(value, dict) else None
    if not isinstance(images, np.ndarray) or not isinstance(labels, list):
        raise HarnessError(f"{name} has no 'data' array and 'labels' list", WAYS_OUT)
    if images.shape != (BATCH_EXAMPLES, IMAGE_BYTES):
        raise HarnessError(
            f"{name} has images of shape {images.shape}",
            f"allowed: ({BATCH_EXAMPLES}, {IMAGE_BYTES}); {AGAIN}",
        )
    if len(labels) != len(images) or not all(label in range(10) for label in labels):
        raise HarnessError(
            f"the labels of {name} are not {BATCH_EXAMPLES} numbers from 0 to 9",
            AGAIN,
        )
    return Batch(np.asarray(images), np.array(labels, dtype=np.int64))
