"""The image that `make test-containers` builds, for tests of other engines that use it."""

from __future__ import annotations

import gc
import warnings

import docker
import pytest
from docker.errors import DockerException

TAG = "guided-descent:test"


def built_image() -> str:
    """Its digest; skips the test where no engine answers or there is no such image yet."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        try:
            client = docker.from_env(timeout=5)
            digest = str(client.images.get(TAG).id)
        except DockerException as error:
            gc.collect()  # the SDK leaves a socket open that found no engine
            pytest.skip(f"no Docker engine has {TAG} ({error}): make test-containers builds it")
    client.close()
    return digest
