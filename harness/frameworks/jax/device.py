"""Device settings, synchronisation and the speed probe of jax."""

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
    """A device, its settings and its work queue; or several devices of one kind.

    Jax reads the settings of platform, memory and threads when it first looks for devices, so the
    constructor makes them: on `cpu` no other platform is initialised, GPU memory is not
    preallocated, and XLA's thread pool has `threads` threads per device. Several CPU devices are
    virtual devices of this machine's CPU.

    Args:
        device: `cpu`, `cuda` or `cuda:N`.
        threads: CPU threads per device.
        devices: the number of devices, starting from the first; batches are divided among them.
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
        """The device, or the first of several; the first access initialises it."""
        return jax.local_devices(backend=self.kind)[self._number]

    @property
    def everywhere(self) -> jax.Device | NamedSharding:
        """The placement of parameters and data: the device, or a copy on each of several."""
        return self.device if self.count == 1 else NamedSharding(self._mesh, PartitionSpec())

    @property
    def slices(self) -> NamedSharding | None:
        """The placement of a batch: sliced over several devices; None for a single device."""
        return None if self.count == 1 else NamedSharding(self._mesh, PartitionSpec("batch"))

    @property
    def _mesh(self) -> Mesh:
        return _mesh(self.kind, self.count)

    def pin(self) -> None:
        """Set the default device and full float32 matrix products; XLA's CPU code is deterministic.

        Programs compiled during the warm-up go to an on-disk cache private to this process, because
        a submission that is set up again traces new functions, which jax would otherwise recompile.
        """
        jax.config.update("jax_compilation_cache_dir", _compilation_cache())
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        jax.config.update("jax_default_matmul_precision", "highest")
        jax.config.update("jax_default_device", self.device)

    def synchronize(self) -> None:
        """Wait for every live array, and for one computation queued after all others."""
        jax.block_until_ready(_live_arrays())
        jax.block_until_ready(jnp.add(jnp.zeros((), device=self.device), 1.0))

    def probe(self) -> None:
        """Run some matrix products and wait until the device has finished them."""
        self._products()

    def _multiply(self, side: int, count: int) -> None:
        matrix = jnp.full((side, side), 1.0 / side, device=self.device)
        for _ in range(count):
            matrix = matrix @ matrix
        matrix.block_until_ready()


@cache
def _mesh(kind: str, count: int) -> Mesh:
    """The first `count` devices of a kind as a one-dimensional mesh, for an array's first axis."""
    return Mesh(np.array(jax.local_devices(backend=kind)[:count]), ("batch",))


@cache
def _compilation_cache() -> str:
    folder = mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _live_arrays() -> list[Array]:
    return [array for array in jax.live_arrays() if not array.is_deleted()]
