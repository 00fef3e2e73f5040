"""Jax on one device."""

from __future__ import annotations

import atexit
import os
import shutil
from functools import cache
from tempfile import mkdtemp

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from harness.frameworks.products import Products


class JaxDevice:
    """A device, its settings and its queue of work; or several devices of one kind.

    Platform, memory and threads are read when jax first looks for devices, so they are set on
    construction: on `cpu` no other platform is opened, no GPU memory is taken before it is used,
    and XLA's thread pool has `threads` threads for each device. Several processors are parts of
    this one, of which jax makes as many as are asked for.

    Args:
        device: `cpu`, `cuda` or `cuda:N`.
        threads: CPU threads of one device.
        devices: how many there are, counted from the first; batches are divided among them.
    """

    def __init__(self, device: str, threads: int, devices: int = 1) -> None:
        platform, _, number = device.partition(":")
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        os.environ["NPROC"] = str(threads * devices)
        if platform == "cpu":
            os.environ["JAX_PLATFORMS"] = "cpu"
            jax.config.update("jax_platforms", "cpu")
            if devices > 1:
                jax.config.update("jax_num_cpu_devices", devices)
        self.kind = platform
        self.count = devices
        self._products = Products(self._multiply, platform)
        self._number = int(number or 0)

    @property
    def device(self) -> jax.Device:
        """The device, or the first of several; the first look opens it."""
        return jax.local_devices(backend=self.kind)[self._number]

    @property
    def everywhere(self) -> jax.Device | NamedSharding:
        """Where parameters and data lie: on the device, or on each of several as a copy."""
        return self.device if self.count == 1 else NamedSharding(self._mesh, PartitionSpec())

    @property
    def slices(self) -> NamedSharding | None:
        """Where a batch lies: a slice of it on each of several devices; None for one."""
        return None if self.count == 1 else NamedSharding(self._mesh, PartitionSpec("batch"))

    @property
    def _mesh(self) -> Mesh:
        return _mesh(self.kind, self.count)

    def pin(self) -> None:
        """Fix the device and full float32 products; XLA's CPU code is deterministic.

        What is compiled during the warm-up is kept in a folder of this process's own, because a
        submission that is set up again traces new functions, which jax would compile again.
        """
        jax.config.update("jax_compilation_cache_dir", _compilation_cache())
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        jax.config.update("jax_default_matmul_precision", "highest")
        jax.config.update("jax_default_device", self.device)

    def synchronize(self) -> None:
        """Wait for every live array and for one computation queued after all others."""
        jax.block_until_ready(_live_arrays())
        jax.block_until_ready(jnp.add(jnp.zeros((), device=self.device), 1.0))

    def probe(self) -> None:
        """Some matrix products, until the device has finished them."""
        self._products()

    def _multiply(self, side: int, count: int) -> None:
        matrix = jnp.full((side, side), 1.0 / side, device=self.device)
        for _ in range(count):
            matrix = matrix @ matrix
        matrix.block_until_ready()


@cache
def _mesh(kind: str, count: int) -> Mesh:
    """The first devices of a kind in a row, which an array's first axis may run along."""
    return Mesh(np.array(jax.local_devices(backend=kind)[:count]), ("batch",))


@cache
def _compilation_cache() -> str:
    folder = mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _live_arrays() -> list[Array]:
    return [array for array in jax.live_arrays() if not array.is_deleted()]
