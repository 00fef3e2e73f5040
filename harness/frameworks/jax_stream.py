"""The training stream in jax: resident examples, gathered by the instance's order."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from harness.frameworks.adapter import Examples
from harness.interface import Batch
from harness.order import Order


def resident(examples: Examples, device: jax.Device) -> tuple[Array, Array]:
    """A split's own copy on the device: inputs as they are typed, targets as int32."""
    inputs = jax.device_put(jnp.array(examples.inputs), device)
    return inputs, jax.device_put(jnp.array(examples.targets, dtype=jnp.int32), device)


class JaxStream:
    """Endless batches; what comes next depends on the position alone, not on batch sizes.

    Each epoch's permutation goes to the device once; a step is one compiled slice and gather.
    """

    def __init__(
        self, examples: Examples, order: Order, batch_size: int, device: jax.Device
    ) -> None:
        self.position = 0
        self.batch_size = batch_size
        self._inputs, self._targets = resident(examples, device)
        self._order = order
        self._device = device
        self._examples = order.examples
        self._epoch = -1
        self._offset = self._examples
        self._permutation = jax.device_put(np.zeros(self._examples, dtype=np.int32), device)
        self._compile(min(batch_size, self._examples))

    def next(self, batch_size: int | None = None) -> Batch[Array]:
        """The next examples: as many as asked for, or the workload's batch size."""
        count = self.batch_size if batch_size is None else batch_size
        stop = self._offset + count
        if stop <= self._examples:
            inputs, targets = _gather_slice(
                self._inputs, self._targets, self._permutation, self._offset, count=count
            )
            self._offset = stop
        else:
            index = self._order.slice(self.position, count).astype(np.int32)
            inputs, targets = _gather(self._inputs, self._targets, index)
            self._enter_epoch_of(self.position + count)
        self.position += count
        return Batch(inputs, targets)

    def _compile(self, count: int) -> None:
        """Compile both ways of drawing a batch now, since shapes differ from the warm-up's."""
        _gather_slice(self._inputs, self._targets, self._permutation, 0, count=count)
        _gather(self._inputs, self._targets, np.zeros(self.batch_size, dtype=np.int32))

    def _enter_epoch_of(self, position: int) -> None:
        """Keep the permutation of the epoch in which the example before `position` lies."""
        self._epoch = (position - 1) // self._examples
        self._offset = position - self._epoch * self._examples
        permutation = self._order.epoch(self._epoch).astype(np.int32)
        self._permutation = jax.device_put(permutation, self._device)


@jax.jit
def _gather(inputs: Array, targets: Array, index: Array | np.ndarray) -> tuple[Array, Array]:
    return inputs[index], targets[index]


@partial(jax.jit, static_argnames="count")
def _gather_slice(
    inputs: Array, targets: Array, permutation: Array, offset: int, *, count: int
) -> tuple[Array, Array]:
    index = jax.lax.dynamic_slice(permutation, (offset,), (count,))
    return inputs[index], targets[index]
