"""The container engine: Docker, or Podman through the same interface.

Its address is in `DOCKER_HOST`, as for every Docker client; for Podman it is a socket such as
`unix:///run/user/1000/podman/podman.sock`.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import docker
    from docker.models.images import Image

IMAGE_VARIABLE = "GUIDED_DESCENT_IMAGE"
DEFAULT_IMAGE = "guided-descent"
TIMEOUT_S = 120
BUILD = "harness container build"


@cache
def engine() -> docker.DockerClient:
    """A client that is connected to the engine.

    Raises:
        HarnessError: no engine answers, or this user may not use it.
    """
    import docker
    from docker.errors import DockerException

    place = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    try:
        client = docker.from_env(timeout=TIMEOUT_S)
        client.ping()
    except (DockerException, OSError, ValueError) as error:  # ValueError: a port out of range
        raise HarnessError(
            f"no container engine answers at {place}: {_root_cause(error)}",
            "start Docker (systemctl start docker) and see that `docker info` works for this "
            "user;\n  for Podman: systemctl --user start podman.socket, and its address in "
            "DOCKER_HOST",
        ) from None
    return client


@cache
def is_podman() -> bool:
    """Whether it is Podman, which interprets some container options differently."""
    components = engine().version().get("Components") or ()
    return any(component.get("Name") == "Podman Engine" for component in components)


def image_name() -> str:
    """The name of the workers' image, from the environment or the default."""
    return os.environ.get(IMAGE_VARIABLE, DEFAULT_IMAGE)


def image_of(name: str) -> Image:
    """Look up an image in the engine.

    Raises:
        HarnessError: it has none of that name.
    """
    from docker.errors import ImageNotFound

    try:
        return engine().images.get(name)
    except ImageNotFound:
        raise HarnessError(
            f"the engine has no image '{name}'",
            f"build it: {BUILD}; or name one that it has in {IMAGE_VARIABLE}",
        ) from None


def digest(image: Image) -> str:
    """The digest of an image's configuration, which covers its layers."""
    return str(image.id)


def _root_cause(error: BaseException) -> str:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__
