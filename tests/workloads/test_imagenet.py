"""ImageNet in its true formats: found, decoded once, linked into instances; a full disk."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from harness.core.errors import HarnessError
from harness.core.seeds import philox
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.providers import registry
from tests.frameworks.kit import HalfSpent
from tests.workloads.imagenet_made import (
    CLASSES,
    SEED,
    SIDE,
    jpeg,
    make_folders,
    make_shards,
    make_tar,
    prepare,
)
from workloads.data.decoding import decode_image
from workloads.data.imagenet import EncodedImage
from workloads.parameters import initial_buffers, initial_parameters
from workloads.resnet import data, model

pytestmark = pytest.mark.usefixtures("own_cache")


def arrays(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    inputs = np.load(folder / split / "inputs.npy", mmap_mode="r")
    return inputs, np.load(folder / split / "targets.npy")


def test_folders_and_shards_give_the_same_instance(tmp_path: Path) -> None:
    one = prepare(make_folders(tmp_path / "folders"), tmp_path / "one")
    two = prepare(make_shards(tmp_path / "shards" / "imagenet").parent, tmp_path / "two")
    names = data.class_names(SEED, 2)
    for split, classes in (("train", [0, 0, 1, 1]), ("validation", [0, 1])):
        inputs, targets = arrays(one, split)
        assert inputs.shape == (len(classes), 3, SIDE, SIDE)
        assert inputs.dtype == np.uint8
        assert np.array_equal(targets, names[classes])
        others = arrays(two, split)
        assert np.array_equal(inputs, others[0])
        assert np.array_equal(targets, others[1])


def test_archives_of_one_class_each_are_read(tmp_path: Path) -> None:
    for label, wnid in enumerate(CLASSES):
        images = {f"{wnid}_{n}.JPEG": jpeg(2 * label + n) for n in range(2)}
        make_tar(tmp_path / "in" / "train" / f"{wnid}.tar", images)
        make_tar(tmp_path / "in" / "val" / f"{wnid}.tar", {"a.JPEG": jpeg(2 * label)})
    one = prepare(tmp_path / "in", tmp_path / "one")
    two = prepare(make_folders(tmp_path / "folders"), tmp_path / "two")
    assert np.array_equal(arrays(one, "train")[0], arrays(two, "train")[0])
    assert np.array_equal(arrays(one, "train")[1], arrays(two, "train")[1])


def test_pixels_are_decoded_once_for_all_instances(tmp_path: Path) -> None:
    source = make_folders(tmp_path / "in")
    one, two = prepare(source, tmp_path / "one"), prepare(source, tmp_path / "two")
    files = [folder / "train" / "inputs.npy" for folder in (one, two)]
    assert files[0].samefile(files[1])


def test_an_image_overwritten_in_place_is_decoded_again(tmp_path: Path) -> None:
    source = make_folders(tmp_path / "in")
    before = arrays(prepare(source, tmp_path / "one"), "train")[0]
    (source / "train" / CLASSES[0] / f"{CLASSES[0]}_0.JPEG").write_bytes(jpeg(3))
    after = arrays(prepare(source, tmp_path / "two"), "train")[0]
    assert not np.array_equal(after[0], before[0])
    assert np.array_equal(after[1:], before[1:])


def test_an_image_is_scaled_to_its_shorter_side_and_cut_to_the_centre() -> None:
    picture = decode_image(EncodedImage("wide", jpeg(0, (512, 128)), 0), 64).astype(int)
    assert picture.shape == (3, 64, 64)
    # The first channel is the column: 192 to 319 of 512 are seen, in steps of two, modulo 256.
    expected = (192.5 + 2 * np.arange(64)) % 256
    inner = slice(2, 30)
    assert np.abs(picture[0, 32, inner] - expected[inner]).max() < 4


def test_a_picture_too_large_to_be_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(HarnessError, match=r"cannot decode wide: Image size \(1200 pixels\)"):
        decode_image(EncodedImage("wide", jpeg(0, (40, 30)), 0), 16)


@pytest.mark.nightly
def test_one_step_at_full_size_from_the_true_format(tmp_path: Path) -> None:
    large = registry.workload("resnet").at("large")
    folder = prepare(make_shards(tmp_path / "in"), tmp_path / "out")
    source = ModelSource("workloads.resnet", large.sizes, "cross_entropy", "float32")
    backend = training_backend("torch", "cpu", 1)
    problem: Any = backend.problem(ProblemConfig(source, HalfSpent(), 1, 4, 0))
    start = initial_parameters(model.parameters(large.sizes), philox(SEED, "weights"))
    backend.load(problem, {**start, **initial_buffers(model.buffers(large.sizes))})
    examples = Examples.open(folder / "train", limit_gib=1e-6)
    assert examples.is_mapped
    batch = backend.stream(examples, Order(SEED, 4), 1, large.augmentation).next()
    assert batch.inputs.shape == (1, 3, 224, 224)
    optimizer = torch.optim.SGD(problem.parameters.values(), lr=0.01)
    before = problem.batch_loss(batch)
    before.backward()
    optimizer.step()
    assert problem.batch_loss(batch) < before


PREPARE = """
import sys
from pathlib import Path
from tests.workloads.imagenet_made import prepare
prepare(Path(sys.argv[1]), Path(sys.argv[2]))
"""
MEGABYTE = 2**20
"""Room for five images of 256 x 256; there are six, four of them in one file."""


def prepared_elsewhere(tmp_path: Path, *before: str) -> str:
    """What a child says, for a hole in a mapped file on a full disk kills its writer."""
    places = [str(make_folders(tmp_path / "in")), str(tmp_path / "out")]
    command = [*before, sys.executable, "-c", PREPARE, *places]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_a_full_disk_is_an_error_and_no_death(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    mount = f"mount -t tmpfs -o size={MEGABYTE} tmpfs '{cache}'"
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
    attempt = subprocess.run([*namespace, mount], capture_output=True, text=True, check=False)
    if attempt.returncode:
        pytest.skip(
            f"no mounts in a namespace ({attempt.stderr.strip()}); the next test needs none"
        )
    listing = f"ls -A '{cache}/guided-descent/imagenet' >&2"
    output = prepared_elsewhere(tmp_path, *namespace, f'{mount}; "$0" "$@" || {listing}')
    assert f"cannot write prepared data below {cache}/guided-descent: No space" in output
    assert output.endswith("a writable folder\n")


def test_a_file_that_may_not_grow_is_an_error_and_no_death(tmp_path: Path) -> None:
    output = prepared_elsewhere(tmp_path, "prlimit", f"--fsize={MEGABYTE // 2}")
    cache = tmp_path / "cache" / "guided-descent"
    assert f"cannot write prepared data below {cache}: File too large" in output
    assert list((cache / "imagenet").iterdir()) == []


def test_without_pillow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(HarnessError, match=r"pip install 'guided-descent\[images\]'"):
        prepare(make_shards(tmp_path / "in"), tmp_path / "out")
