"""A tiny archive in CIFAR-10's official layout, made of noise."""

import hashlib
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from workloads.data import cifar10

EXAMPLES = 20


def write_folder(parent: Path, examples: int = EXAMPLES) -> Path:
    """The unpacked folder, each batch a pickled dictionary with bytes as keys.

    Args:
        parent: where it is made.
        examples: in each batch.
    """
    folder = parent / cifar10.FOLDER
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name in cifar10.BATCHES:
        images = generator.integers(0, 256, (examples, 3072), dtype=np.uint8)
        labels = generator.integers(0, 10, examples).tolist()
        content = {b"data": images, b"labels": labels}
        (folder / name).write_bytes(pickle.dumps(content, protocol=3))
    return folder


def write_archive(parent: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive, its MD5 put in the place of the official one's."""
    folder = write_folder(parent / "packing")
    archive = parent / cifar10.ARCHIVE
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=cifar10.FOLDER)
    monkeypatch.setattr(cifar10, "MD5", hashlib.md5(archive.read_bytes()).hexdigest())
    return archive
