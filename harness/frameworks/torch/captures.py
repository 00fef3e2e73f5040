"""Captures: hooks on a torch model's layers that record inputs and output gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from harness.core.errors import UnknownNameError
from harness.submission.interface import Capture
from workloads.parameters import LayerSpec

Keep = Callable[[Capture[Tensor]], None]


@contextmanager
def capture_layers(
    model: nn.Module, layers: Sequence[LayerSpec], names: Sequence[str] | None
) -> Iterator[dict[str, Capture[Tensor]]]:
    """Hook the modules that own the layers' weights; leaving the block removes the hooks.

    Yields:
        Captures by layer, replaced by each backward pass. If a module runs several times in one
        forward pass, its capture is that of the call whose gradient arrives last; for a recurrent
        layer, which runs once per time step, it holds all steps along the second axis.
    """
    by_name = {layer.name: layer for layer in layers}
    captures: dict[str, Capture[Tensor]] = {}
    with ExitStack() as stack:
        for name in by_name if names is None else names:
            if name not in by_name:
                raise UnknownNameError("layer", name, by_name)
            module = model.get_submodule(by_name[name].weight.rpartition(".")[0])
            keep = _keeper(captures, name)
            if by_name[name].kind == "recurrent":
                steps = _Steps(keep)
                stack.callback(model.register_forward_pre_hook(steps.begin).remove)
                stack.callback(module.register_forward_hook(steps.note_step).remove)
            else:
                stack.callback(module.register_forward_hook(_forward_hook(keep)).remove)
        yield captures


def _keeper(captures: dict[str, Capture[Tensor]], name: str) -> Keep:
    def keep(capture: Capture[Tensor]) -> None:
        captures[name] = capture

    return keep


def _forward_hook(keep: Keep) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def forward_hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        layer_input = inputs[0].detach()

        def gradient_hook(gradient: Tensor) -> None:
            keep(Capture(layer_input, gradient.detach()))

        if output.requires_grad:
            output.register_hook(gradient_hook)

    return forward_hook


class _Steps:
    """The calls of one recurrent layer, joined once the backward pass reaches the first.

    Gradients arrive from the last call to the first; a call that the loss does not depend on has no
    gradient, which counts as zero. Each forward pass through the model starts a new list, so that
    the graphs of several passes can coexist.
    """

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self.begin()

    def begin(self, *_: object) -> None:
        """Start the lists of a forward pass; a forward pre-hook of the whole model."""
        self._inputs: list[Tensor] = []
        self._gradients: dict[int, Tensor] = {}

    def note_step(self, _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Record one call, (batch, in) -> (batch, out); a forward hook of the layer."""
        layer_inputs, gradients, step = self._inputs, self._gradients, len(self._inputs)
        layer_inputs.append(inputs[0].detach())

        def gradient_hook(gradient: Tensor) -> None:
            gradients[step] = gradient.detach()
            if step == 0:
                self._keep(_join(layer_inputs, gradients))
                gradients.clear()

        if output.requires_grad:
            output.register_hook(gradient_hook)


def _join(inputs: list[Tensor], gradients: dict[int, Tensor]) -> Capture[Tensor]:
    """The capture of all steps: inputs (batch, time, in) and gradients (batch, time, out)."""
    zeros = torch.zeros_like(gradients[0])
    all_gradients = [gradients.get(step, zeros) for step in range(len(inputs))]
    return Capture(torch.stack(inputs, 1), torch.stack(all_gradients, 1))
