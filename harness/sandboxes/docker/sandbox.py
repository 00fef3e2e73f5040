"""The sandbox `docker`: each worker in a container of its own, the referee outside.

The container has no network, no capabilities, no way to gain privileges, read-only files, an
in-memory scratch folder, and an unprivileged user. Memory, processes and cores are limited, and it
is suspended with the freezer of its control group. Interpreter and libraries come from the image;
the harness's code is the referee's own, mounted read-only, so that both run the same.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.sandboxes.base import Confinement
from harness.sandboxes.docker.engine import (
    BUILD,
    IMAGE_VARIABLE,
    digest,
    engine,
    image_name,
    is_podman,
)
from harness.sandboxes.docker.engine import image_of as find_image
from harness.sandboxes.docker.groups import group_of
from harness.sandboxes.docker.leftovers import labels, remove_left_over
from harness.sandboxes.docker.line import Line
from harness.sandboxes.docker.options import SCRATCH, options_of
from harness.sandboxes.docker.process import VIEW, ContainerWorkerProcess, remove
from harness.sandboxes.log import open_log

if TYPE_CHECKING:
    from docker.models.containers import Container

START_TIMEOUT_S = 120.0
"""Seconds for a container to start and import the framework."""
SHOWN_LINES = 6
NEEDS = {
    "MemoryLimit": "a limit on shared memory and on several processes' sum",
    "PidsLimit": "a limit on the number of processes",
    "CPUSet": "that processes stay on the worker's cores",
}
"""Limits that an engine may not support, by its own names, and what is then not enforced."""


class DockerSandbox:
    """Starts workers in containers.

    Raises:
        HarnessError: no engine answers, or it lacks the image.
    """

    has_ranks = True
    """Ranks connect over the loopback of the container's own network."""

    def __init__(self) -> None:
        self._engine = engine()
        image = find_image(image_name())
        self._image = digest(image)
        self._volumes = tuple(image.attrs["Config"].get("Volumes") or ())

    @property
    def image(self) -> str:
        """The digest of the workers' image."""
        return self._image

    def start(self, confinement: Confinement) -> ContainerWorkerProcess:
        """Start a container and in it a worker that waits for HELLO.

        Raises:
            HarnessError: the container cannot start, or its packages differ from the referee's.
        """
        remove_left_over(self._engine)
        line = Line()
        container: Container | None = None
        try:
            container = self._create_container(confinement, line)
            return self._worker(container, confinement, line)
        except BaseException:
            if container is not None:
                remove(container)
            line.close()
            raise

    def list_unenforced_protections(self) -> tuple[str, ...]:
        """Named in every record."""
        offers: Mapping[str, Any] = self._engine.info()
        return tuple(what for name, what in NEEDS.items() if not offers.get(name, True))

    def _create_container(self, confinement: Confinement, line: Line) -> Container:
        from docker.errors import DockerException

        options = options_of(confinement, line.folder, self._volumes, is_podman=is_podman())
        container: Container | None = None
        try:
            container = self._engine.containers.create(self._image, labels=labels(), **options)
            container.start()
        except DockerException as error:
            if container is not None:
                remove(container)
            raise HarnessError(
                f"the engine cannot start a container of '{image_name()}': {error}",
                "docker run --rm --network none IMAGE --help shows whether it starts any",
            ) from error
        return container

    def _worker(
        self, container: Container, confinement: Confinement, line: Line
    ) -> ContainerWorkerProcess:
        container.reload()
        pid = int(container.attrs["State"]["Pid"])
        try:
            if pid == 0:
                raise ConnectionError("it ended at once")
            line.accept(pid, Path(f"/proc/{pid}").exists, START_TIMEOUT_S)
            versions = line.receive(START_TIMEOUT_S)
        except (ConnectionError, TimeoutError) as error:
            raise _start_error(container, error) from error
        if versions is None:
            raise _start_error(container, ConnectionError("it ended"))
        _check_packages(confinement.packages, versions["packages"])
        group = group_of(pid, container.pause, container.unpause)
        connection = _sent_order(line, confinement)
        try:
            worker = line.receive_handle(START_TIMEOUT_S)
        except (ConnectionError, TimeoutError) as error:
            connection.close()
            raise _start_error(container, error) from error
        return ContainerWorkerProcess(
            container,
            pid,
            group,
            worker=worker,
            line=line,
            connection=connection,
            view=confinement.view,
            ranks=confinement.ranks,
        )


def _sent_order(line: Line, confinement: Confinement) -> socket.socket:
    """Send the worker's order; returns the referee's end of its wire."""
    order: dict[str, object] = {
        "scratch": str(SCRATCH),
        "memory_gib": confinement.memory_gib,
        "file_mib": confinement.file_mib,
        "cores": confinement.cores,
        "gpu": confinement.computes_on_gpu,
        "layers": ["seccomp"],
        "is_alone_in_network": True,
        "ranks": confinement.ranks,
        "view": str(VIEW),
        "user": None,
    }
    log = open_log(confinement.log)
    ours, theirs = socket.socketpair()
    with log, theirs:
        line.send(order, [theirs.fileno(), log.fileno()])
    return ours


def _check_packages(
    recorded_versions: Mapping[str, str | None], in_image: Mapping[str, str]
) -> None:
    """Check that the worker's packages are those of the record.

    Raises:
        HarnessError: a version differs.
    """
    for name, version in recorded_versions.items():
        there = in_image.get(name.lower())
        if name == "guided-descent" or version is None or there is None:
            continue  # the code is mounted; what is missing, its import will say
        if _public(version) != _public(there):
            raise HarnessError(
                f"{name} is {version} here and {there} in the image '{image_name()}'",
                f"build it with this version: {BUILD}; or name another in {IMAGE_VARIABLE}",
            )


def _public(version: str) -> str:
    """A version without its build label, such as +cpu."""
    return version.partition("+")[0]


def _start_error(container: Container, error: Exception) -> HarnessError:
    lines = container.logs(tail=SHOWN_LINES).decode(errors="replace").splitlines()
    return HarnessError(
        f"no worker starts in the image '{image_name()}': {error}",
        "\n  ".join(filter(None, [*lines, f"build the image with what it lacks: {BUILD} --help"])),
    )
