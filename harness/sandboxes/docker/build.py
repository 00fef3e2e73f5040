"""Builds the workers' image from `containers/Dockerfile` of a checkout.

The engine gets only the files of the checkout that the image is made of. The base image is recorded
in a label.
"""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.sandboxes.docker.engine import digest, engine, image_of

if TYPE_CHECKING:
    from docker.models.images import Image

ROOT = Path(__file__).parents[3]
RECIPE = "containers/Dockerfile"
CONTEXT = (
    RECIPE, "constraints.txt", "pyproject.toml", "README.md", "LICENSE",
    "harness", "workloads", "submissions", "scoring", "experiments",
)  # fmt: skip
WHEELS = "wheels"
CPU_BASE = (
    "python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea"
)
"""Python 3.12.14 on Debian 13."""
CUDA_BASE = (
    "nvidia/cuda:13.0.1-base-ubuntu24.04"
    "@sha256:f8ef28f579ea42a44b415d2c5d46f788e6a9b395c6c83f2929416e1fc192c143"
)
BASE_LABEL = "org.opencontainers.image.base.digest"
TIMEOUT_S = 3600.0
SHOWN_LINES = 12


@dataclass(frozen=True)
class ImageRequest:
    """A request for an image."""

    tag: str
    """Its name."""
    base: str = CPU_BASE
    """The base image; `NAME@sha256:DIGEST` pins it."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """The build arguments of the Dockerfile, by name."""
    wheels: Path | None = None
    """A folder of wheels that take precedence over the package index."""
    network: str | None = None
    """The network during the build; None for the engine's default."""


def build_image(request: ImageRequest, say: Callable[[str], None]) -> str:
    """Build an image; returns its digest.

    Args:
        request: the image.
        say: is called with a line for each step.

    Raises:
        HarnessError: there is no checkout or no base image, or a step fails; the message has its
            output.
    """
    from docker.errors import DockerException

    if not (ROOT / RECIPE).is_file():
        raise HarnessError(
            f"{ROOT / RECIPE} is missing: an image is built from a checkout",
            "git clone the project, install it with `pip install -e .`, and build there",
        )
    client = engine()
    try:
        base = client.images.get(request.base)
    except DockerException:
        base = _pull(request.base, say)
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            _fill(archive, request.wheels)
        file.seek(0)
        steps = client.api.build(
            fileobj=file,
            custom_context=True,
            dockerfile=RECIPE,
            tag=request.tag,
            rm=True,
            decode=True,
            timeout=int(TIMEOUT_S),
            network_mode=request.network,
            buildargs={"BASE": request.base, **request.arguments},
            labels={BASE_LABEL: next(iter(base.attrs.get("RepoDigests") or ()), digest(base))},
        )
        _follow(steps, say)
    return digest(image_of(request.tag))


def _pull(name: str, say: Callable[[str], None]) -> Image:
    from docker.errors import DockerException

    say(f"pulling {name}")
    try:
        return engine().images.pull(name)
    except DockerException as error:
        raise HarnessError(
            f"the base image '{name}' is not here and cannot be pulled: {error}",
            "name one that the engine has: harness container build --base NAME; "
            "`docker images` lists them",
        ) from error


def _fill(archive: tarfile.TarFile, wheels: Path | None) -> None:
    for name in CONTEXT:
        archive.add(ROOT / name, arcname=name, filter=_without_caches)
    if wheels is not None:
        archive.add(wheels.resolve(), arcname=WHEELS)


def _without_caches(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """A file of the build context, made readable by all."""
    if "__pycache__" in entry.name:
        return None
    entry.mode |= 0o755 if entry.isdir() else 0o644
    return entry


def _follow(steps: Iterator[dict[str, object]], say: Callable[[str], None]) -> None:
    """Report each step; raise with the output of one that fails."""
    lines: list[str] = []
    for step in steps:
        if "error" in step:
            raise HarnessError(
                f"the image cannot be built: {step['error']}", "\n  ".join(lines[-SHOWN_LINES:])
            )
        text = str(step.get("stream", "")).strip()
        lines += text.splitlines()
        if text.startswith("Step "):
            say(text)
