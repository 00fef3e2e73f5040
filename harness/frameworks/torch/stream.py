"""The training stream in torch: examples gathered in the instance's order."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.frameworks.base import ALONE, Place
from harness.frameworks.crops import PADDING_VALUE, crop_side, epoch_crops
from harness.frameworks.epochs import EpochStream
from harness.frameworks.examples import Examples
from harness.frameworks.order import Order
from harness.submission.interface import Batch
from workloads.spec import Augmentation


class TorchSplit:
    """A split, on the device or memory-mapped on the host, from which batches are gathered.

    Unsigned inputs (tokens) are int32 on the device; integer targets are returned as int64.
    """

    def __init__(self, examples: Examples, device: torch.device) -> None:
        self._device = device
        self._mapped_examples = examples if examples.is_mapped else None
        if self._mapped_examples is None:
            self.inputs = _on_device(examples.inputs, device)
            self.targets = _on_device(examples.targets, device)

    @property
    def index_device(self) -> torch.device:
        """The device on which indices must be: that of the examples, or a gather would wait for a
        copy.
        """
        return self._device if self._mapped_examples is None else torch.device("cpu")

    def take(self, index: Tensor) -> Batch[Tensor]:
        """The examples with these indices (batch,), a tensor on `index_device`."""
        if self._mapped_examples is not None:
            places = index.numpy()
            inputs = _on_device(self._mapped_examples.inputs[places], self._device)
            targets = _on_device(self._mapped_examples.targets[places], self._device)
            return Batch(inputs, _as_targets(targets))
        inputs = self.inputs.index_select(0, index)
        return Batch(inputs, _as_targets(self.targets.index_select(0, index)))

    def part(self, start: int, stop: int) -> Batch[Tensor]:
        """The examples with indices from `start` to before `stop`."""
        if self._mapped_examples is not None:
            return self.take(torch.arange(start, min(stop, len(self._mapped_examples.targets))))
        return Batch(self.inputs[start:stop], _as_targets(self.targets[start:stop]))


def _on_device(array: object, device: torch.device) -> Tensor:
    tensor = torch.tensor(array)
    tensor = tensor.int() if tensor.dtype in {torch.uint16, torch.uint32} else tensor
    if device.type == "cuda":  # from pinned memory a copy waits for nothing
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def _as_targets(targets: Tensor) -> Tensor:
    return targets if targets.is_floating_point() else targets.long()


class TorchCrops:
    """The random crops of the current epoch, by index within it."""

    def __init__(self, order: Order, side: int, how: Augmentation, device: torch.device) -> None:
        self._order, self._side, self._how, self._device = order, side, how, device
        self._run = torch.arange(crop_side(side, how), device=device)
        self.enter(0)

    def enter(self, epoch: int) -> None:
        """Draw the crops of another epoch."""
        crops = epoch_crops(self._order.seed, epoch, self._order.examples, self._side, self._how)
        self._top, self._left, self._flips = (
            torch.from_numpy(part).to(self._device) for part in crops
        )

    def __call__(self, images: Tensor, start: int) -> Tensor:
        """Crop images (batch, channels, height, width), the first by the crop at index `start`."""
        here = slice(start, start + len(images))
        run, pad = self._run, (self._how.crop_padding,) * 4
        rows = self._top[here, None] + run
        columns = self._left[here, None] + torch.where(self._flips[here, None], run.flip(0), run)
        canvas = torch.nn.functional.pad(images, pad, value=PADDING_VALUE)
        image = torch.arange(len(images), device=images.device)[:, None, None, None]
        channel = torch.arange(images.shape[1], device=images.device)[:, None, None]
        return canvas[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


class TorchStream(EpochStream[Tensor]):
    """The stream in torch: each batch takes a slice of the epoch's permutation and a gather.

    Args:
        examples: the training split: inputs (n, ...) and targets (n, ...).
        order: gives the permutation of each epoch.
        batch_size: the default number of examples of `next()`, over all ranks.
        device: where batches are put, such as `cuda:0`.
        augmentation: the augmentation of images, if any.
        place: this process's rank, which selects its slice of each batch; by default the whole
            batch.
    """

    def __init__(
        self,
        examples: Examples,
        order: Order,
        batch_size: int,
        device: torch.device,
        augmentation: Augmentation | None = None,
        *,
        place: Place = ALONE,
    ) -> None:
        super().__init__(order, batch_size, place.world_size)
        self._rank = place.rank
        self._split = TorchSplit(examples, device)
        self._permutation = torch.empty(0, dtype=torch.int64, device=self._split.index_device)
        self._crop = (
            TorchCrops(order, examples.inputs.shape[-1], augmentation, device)
            if augmentation is not None
            else None
        )

    def _within_epoch(self, count: int) -> Batch[Tensor]:
        own = count // self._world_size
        batch = self._take(self._offset + self._rank * own, own)
        self._offset += count
        return batch

    def _across_epochs(self, count: int) -> Batch[Tensor]:
        own = count // self._world_size
        first, parts, place = self._rank * own, [], 0
        while place < count:
            if self._offset == self._examples:
                self._enter_epoch(self._epoch + 1)
                self._offset = 0
            part = min(count - place, self._examples - self._offset)
            start, end = max(first, place), min(first + own, place + part)
            if start < end:
                parts.append(self._take(self._offset + start - place, end - start))
            self._offset += part
            place += part
        inputs, targets = zip(*parts, strict=True)
        return Batch(torch.cat(inputs), torch.cat(targets))

    def _take(self, start: int, count: int) -> Batch[Tensor]:
        """The `count` examples of the epoch from index `start`; the position does not change."""
        batch = self._split.take(self._permutation[start : start + count])
        if self._crop is None:
            return batch
        return Batch(self._crop(batch.inputs, start), batch.targets)

    def _enter_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        permutation = torch.from_numpy(self._order.epoch(epoch))
        self._permutation = permutation.to(self._permutation.device)
        if self._crop is not None:
            self._crop.enter(epoch)
