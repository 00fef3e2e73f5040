"""The image under test, built once; skipped where no Docker engine answers."""

import gc
import os
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import BuildError, DockerException
from docker.models.images import Image

ROOT = Path(__file__).parents[2]
TAG = "guided-descent:test"
CONTEXT = (
    "containers", "constraints.txt", "pyproject.toml", "README.md", "LICENSE",
    "harness", "workloads", "submissions", "scoring",
)  # fmt: skip


def _without_caches(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry


def _context(path: Path, wheels: str | None) -> Path:
    """The build context as a tar file: the repository's sources and, if given, the wheels."""
    with tarfile.open(path, "w") as archive:
        for name in CONTEXT:
            archive.add(ROOT / name, arcname=name, filter=_without_caches)
        if wheels:
            archive.add(wheels, arcname="wheels")
    return path


def _build_arguments(wheels: str | None) -> dict[str, str]:
    return {
        "BASE": os.environ.get("GUIDED_DESCENT_BASE_IMAGE", "python:3.12-slim"),
        "PIP_FLAGS": "--no-index" if wheels else "",
        "TORCH_INDEX": os.environ.get("TORCH_INDEX", ""),
    }


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
def image(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image on GUIDED_DESCENT_BASE_IMAGE, from the wheels in GUIDED_DESCENT_WHEELS if set."""
    wheels = os.environ.get("GUIDED_DESCENT_WHEELS")
    context = _context(tmp_path_factory.mktemp("context") / "context.tar", wheels)
    try:
        with context.open("rb") as archive:
            built, _ = engine.images.build(
                fileobj=archive, custom_context=True, dockerfile="containers/Dockerfile",
                tag=TAG, rm=True, buildargs=_build_arguments(wheels),
            )  # fmt: skip
    except BuildError as error:
        log = "".join(str(line.get("stream", "")) for line in error.build_log)
        pytest.fail(f"{error}\n{log[-3000:]}", pytrace=False)
    return built
