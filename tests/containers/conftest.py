"""The image under test, built once; skipped where no Docker engine answers."""

import gc
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException
from docker.models.images import Image

from harness.sandboxes.docker.build import CPU_BASE, ImageRequest, build_image
from harness.sandboxes.docker.engine import IMAGE_VARIABLE
from tests.containers_kit import TAG


def _request() -> ImageRequest:
    """On GUIDED_DESCENT_BASE_IMAGE, from the wheels in GUIDED_DESCENT_WHEELS if set."""
    wheels = os.environ.get("GUIDED_DESCENT_WHEELS")
    return ImageRequest(
        tag=TAG,
        base=os.environ.get("GUIDED_DESCENT_BASE_IMAGE", CPU_BASE),
        arguments={
            "PIP_FLAGS": "--no-index" if wheels else "",
            "TORCH_INDEX": os.environ.get("TORCH_INDEX", ""),
        },
        wheels=Path(wheels) if wheels else None,
        network="none" if wheels else "host",
    )


def _connect() -> docker.DockerClient | str:
    """A client of the engine that the environment names, or why there is none."""
    try:
        client = docker.from_env(timeout=600)
        client.ping()
    except DockerException as error:
        return str(error)
    return client


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """A client of a running Docker engine."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        client = _connect()
        gc.collect()  # the SDK leaves a socket open that found no engine
    if isinstance(client, str):
        pytest.skip(f"no Docker engine answers ({client}); start one and run make test-containers")
    yield client
    client.close()


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient) -> Image:
    """The image that the environment names, or one that is built."""
    if name := os.environ.get(IMAGE_VARIABLE):
        return engine.images.get(name)
    build_image(_request(), print)
    return engine.images.get(TAG)


@pytest.fixture
def worker_image(image: Image, monkeypatch: pytest.MonkeyPatch) -> str:
    """The digest of the image that `--sandbox docker` then runs workers in."""
    digest = str(image.id)
    monkeypatch.setenv(IMAGE_VARIABLE, digest)
    return digest
