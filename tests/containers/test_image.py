import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import pytest
from docker.models.containers import Container
from docker.models.images import Image

pytestmark = pytest.mark.containers


@contextmanager
def ran(engine: docker.DockerClient, image: Image, *command: str) -> Iterator[Container]:
    """A container that has run a command of the harness to its end."""
    container = engine.containers.create(image, list(command))
    try:
        container.start()
        code = container.wait()["StatusCode"]
        assert code == 0, container.logs().decode()[-3000:]
        yield container
    finally:
        container.remove(force=True, v=True)


def results(container: Container) -> dict[str, bytes]:
    """What the container left under /results, by path."""
    chunks, _ = container.get_archive("/results")
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        return {file.name: opened.read() for file in files if (opened := archive.extractfile(file))}


def test_it_runs_the_harness_as_a_user_without_rights(image: Image) -> None:
    config = image.attrs["Config"]
    assert config["User"] == "harness"
    assert config["Entrypoint"] == ["harness"]


def test_help_needs_no_arguments(engine: docker.DockerClient, image: Image) -> None:
    with ran(engine, image) as container:
        assert b"run" in container.logs()


def test_a_run_leaves_finished_trials(engine: docker.DockerClient, image: Image) -> None:
    command = "run --workload mlp --submission muon --trials 1 --budget-scale 0.02 --out /results"
    with ran(engine, image, *command.split()) as container:
        files = results(container)
    trials = [json.loads(data) for name, data in files.items() if name.endswith("trial.json")]
    assert [trial["result"]["state"] for trial in trials] == ["budget"]
    assert any(name.endswith("events.jsonl") for name in files)
