"""The training stream in jax: examples gathered in the instance's order."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array
from jax.sharding import NamedSharding, Sharding, SingleDeviceSharding

from harness.frameworks.crops import PADDING_VALUE, Crops, crop_side, crops_at, epoch_crops
from harness.frameworks.epochs import EpochStream
from harness.frameworks.examples import Examples
from harness.frameworks.order import Order
from harness.submission.interface import Batch
from harness.submission.state import HostArray
from workloads.spec import Augmentation


class JaxSplit:
    """A split, on the device or memory-mapped on the host, from which batches are gathered.

    Unsigned inputs (tokens) and all integer targets are int32 on the device.

    Args:
        examples: the split's examples.
        device: their placement: one device, or a copy on each of several.
        slices: the placement of batches divided among several devices; None to place them as the
            examples.
    """

    def __init__(
        self,
        examples: Examples,
        device: jax.Device | NamedSharding,
        *,
        slices: NamedSharding | None = None,
    ) -> None:
        self._device, self._slices = device, slices
        self._mapped_examples = examples if examples.is_mapped else None
        if self._mapped_examples is None:
            self.inputs = _on_device(examples.inputs, device)
            self.targets = _on_device(_as_targets(examples.targets), device)

    def take(self, index: np.ndarray) -> Batch[Array]:
        """The examples with these indices (batch,)."""
        if self._mapped_examples is not None:
            return self._batch(
                self._mapped_examples.inputs[index], self._mapped_examples.targets[index]
            )
        return Batch(*_gather(self.inputs, self.targets, index, slices=self._slices))

    def take_slice(self, permutation: Array, offset: int, count: int) -> Batch[Array]:
        """The examples with the indices `permutation[offset : offset + count]`."""
        if self._mapped_examples is not None:
            return self.take(np.asarray(permutation[offset : offset + count]))
        gather = partial(_gather_slice, count=count, slices=self._slices)
        return Batch(*gather(self.inputs, self.targets, permutation, offset))

    def part(self, start: int, stop: int) -> Batch[Array]:
        """The examples with indices from `start` to before `stop`."""
        if self._mapped_examples is not None:
            return self._batch(
                self._mapped_examples.inputs[start:stop], self._mapped_examples.targets[start:stop]
            )
        return Batch(self.inputs[start:stop], self.targets[start:stop])

    def _batch(self, inputs: HostArray, targets: HostArray) -> Batch[Array]:
        place = self._slices or self._device
        device_targets = _on_device(_as_targets(targets), place)
        return Batch(_on_device(inputs, place), device_targets)


def _as_int32(numbers: HostArray) -> npt.NDArray[np.int32]:
    return np.asarray(numbers).astype(np.int32)


def _as_targets(targets: HostArray) -> HostArray:
    is_real = np.issubdtype(targets.dtype, np.floating)
    return np.asarray(targets) if is_real else _as_int32(targets)


def _on_device(array: HostArray, device: jax.Device | NamedSharding) -> Array:
    host = _as_int32(array) if _is_token(array) else array
    device_array: Array = jax.device_put(jnp.array(host), device)
    return device_array


def _is_token(array: HostArray) -> bool:
    return array.dtype in (np.uint16, np.uint32)


class JaxStream(EpochStream[Array]):
    """The stream in jax: each batch takes one compiled slice and gather."""

    def __init__(
        self,
        examples: Examples,
        order: Order,
        batch_size: int,
        device: jax.Device | NamedSharding,
        augmentation: Augmentation | None = None,
        *,
        slices: NamedSharding | None = None,
    ) -> None:
        super().__init__(order, batch_size, 1 if slices is None else slices.num_devices)
        self._split = JaxSplit(examples, device, slices=slices)
        self._device, self._slices = device, slices
        self._how, self._side = augmentation, examples.inputs.shape[-1]
        self._permutation = jax.device_put(np.zeros(self._examples, dtype=np.int32), device)
        self._crops = self._epoch_crops(0)
        self._compile(min(batch_size, self._examples))

    def _within_epoch(self, count: int) -> Batch[Array]:
        start = self._offset
        self._offset += count
        batch = self._split.take_slice(self._permutation, start, count)
        return self._crop_batch(batch, self._crops, start)

    def _across_epochs(self, count: int) -> Batch[Array]:
        index = self._order.slice(self.position, count).astype(np.int32)
        batch = self._split.take(index)
        if self._how is not None:
            crops = crops_at(self._order, self.position, count, self._side, self._how)
            batch = self._crop_batch(batch, crops, 0)
        self._enter_epoch((self.position + count - 1) // self._examples)
        self._offset = self.position + count - self._epoch * self._examples
        return batch

    def _crop_batch(self, batch: Batch[Array], crops: Crops | None, start: int) -> Batch[Array]:
        if self._how is None or crops is None:
            return batch
        side, padding = crop_side(self._side, self._how), self._how.crop_padding
        crop = partial(_crop, side=side, padding=padding, slices=self._slices)
        return Batch(crop(batch.inputs, crops, start), batch.targets)

    def _compile(self, count: int) -> None:
        """Compile the gathers now, since the shapes differ from those of the warm-up."""
        self._crop_batch(self._split.take_slice(self._permutation, 0, count), self._crops, 0)
        whole = self._split.take(np.zeros(self.batch_size, dtype=np.int32))
        if self._how is not None:  # over an epoch's end crops come by batch, not by epoch
            first = crops_at(self._order, 0, self.batch_size, self._side, self._how)
            self._crop_batch(whole, first, 0)

    def _enter_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        permutation = self._order.epoch(epoch).astype(np.int32)
        self._permutation = jax.device_put(permutation, self._device)
        self._crops = self._epoch_crops(epoch)

    def _epoch_crops(self, epoch: int) -> Crops | None:
        if self._how is None:
            return None
        host_crops = epoch_crops(self._order.seed, epoch, self._examples, self._side, self._how)
        crops: Crops = jax.device_put(host_crops, self._device)
        return crops


def compile_ahead(
    examples: Examples,
    count: int,
    batch_size: int,
    how: Augmentation | None,
    device: jax.Device | NamedSharding,
    *,
    slices: NamedSharding | None,
) -> None:
    """Compile the programs of a stream over a larger number of such examples.

    The programs go to the cache of `JaxDevice.pin`, where that stream finds them.

    Args:
        examples: a few examples of the same shape and dtypes.
        count: the number of examples of that stream.
        batch_size: the stream's batch size.
        how: the images' augmentation.
        device: the placement of its examples.
        slices: the placement of its batches, if they are divided among devices.
    """
    place = device if isinstance(device, NamedSharding) else SingleDeviceSharding(device)

    def form(like: Array, *shape: int, place: Sharding = place) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, like.dtype, sharding=place)

    few = JaxSplit(Examples(examples.inputs[:1], examples.targets[:1]), device)
    inputs = form(few.inputs, count, *few.inputs.shape[1:])
    targets = form(few.targets, count, *few.targets.shape[1:])
    permutation = form(jnp.zeros(0, jnp.int32), count)
    index = jax.ShapeDtypeStruct((batch_size,), jnp.int32)
    _gather.lower(inputs, targets, index, slices=slices).compile()
    size = min(batch_size, count)
    gather = {"count": size, "slices": slices}
    _gather_slice.lower(inputs, targets, permutation, 0, **gather).compile()
    if how is not None:
        side = examples.inputs.shape[-1]
        settings = {"side": crop_side(side, how), "padding": how.crop_padding, "slices": slices}
        images = form(few.inputs, size, *few.inputs.shape[1:], place=slices or place)
        flips = form(jnp.zeros(0, jnp.bool_), count)
        crops = jax.tree.unflatten(
            jax.tree.structure(epoch_crops("", 0, 0, 1, how)), [permutation] * 2 + [flips]
        )
        _crop.lower(images, crops, 0, **settings).compile()


@partial(jax.jit, static_argnames="slices")
def _gather(
    inputs: Array, targets: Array, index: Array | np.ndarray, *, slices: NamedSharding | None
) -> tuple[Array, Array]:
    return _shard(inputs[index], slices), _shard(targets[index], slices)


@partial(jax.jit, static_argnames=("count", "slices"))
def _gather_slice(
    inputs: Array,
    targets: Array,
    permutation: Array,
    offset: int,
    *,
    count: int,
    slices: NamedSharding | None,
) -> tuple[Array, Array]:
    index = jax.lax.dynamic_slice(permutation, (offset,), (count,))
    return _shard(inputs[index], slices), _shard(targets[index], slices)


@partial(jax.jit, static_argnames=("side", "padding", "slices"))
def _crop(
    images: Array,
    crops: Crops,
    start: int,
    *,
    side: int,
    padding: int,
    slices: NamedSharding | None,
) -> Array:
    """Crop images (batch, channels, height, width), the first by the crop with index `start`."""
    count, channels = images.shape[:2]
    top, left, flips = (jax.lax.dynamic_slice(part, (start,), (count,)) for part in crops)
    run = jnp.arange(side)
    rows = top[:, None] + run
    columns = left[:, None] + jnp.where(flips[:, None], run[::-1], run)
    around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    canvas = jnp.pad(images, around, constant_values=PADDING_VALUE)
    image = jnp.arange(count)[:, None, None, None]
    channel = jnp.arange(channels)[:, None, None]
    result = canvas[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
    return _shard(result, slices)


def _shard(batch: Array, slices: NamedSharding | None) -> Array:
    """The batch (examples, ...), sharded so that each device computes and holds a slice."""
    return batch if slices is None else jax.lax.with_sharding_constraint(batch, slices)
