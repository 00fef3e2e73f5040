"""Taps on a torch model's layers: hooks that keep inputs and output-gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from harness.errors import UnknownNameError
from harness.interface import Tap
from workloads.parameters import LayerSpec


@contextmanager
def tap_layers(
    model: nn.Module, layers: Sequence[LayerSpec], names: Sequence[str] | None
) -> Iterator[dict[str, Tap[Tensor]]]:
    """Tap the modules that own the layers' weights; the hooks go when the block is left.

    Yields:
        Taps by layer, replaced by each backward pass. A module that runs several times in one
        forward pass keeps the tap of the call whose gradient came last.
    """
    known = {layer.name: layer for layer in layers}
    taps: dict[str, Tap[Tensor]] = {}
    with ExitStack() as stack:
        for name in known if names is None else names:
            if name not in known:
                raise UnknownNameError("layer", name, known)
            module = model.get_submodule(known[name].weight.rpartition(".")[0])
            stack.callback(_tap(module, name, taps).remove)
        yield taps


def _tap(module: nn.Module, name: str, taps: dict[str, Tap[Tensor]]) -> RemovableHandle:
    def forward_hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        entered = inputs[0].detach()

        def gradient_hook(gradient: Tensor) -> None:
            taps[name] = Tap(entered, gradient.detach())

        if output.requires_grad:
            output.register_hook(gradient_hook)

    return module.register_forward_hook(forward_hook)
