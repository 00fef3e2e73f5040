"""Kronecker factors of a layer's Fisher information, for each kind of layer.

A layer applied to example n at locations t (time steps, image positions; a single one if the weight
is not shared) has the gradient G_n = sum_t g_nt a_nt^T, so that with N targets in the batch

    F = N sum_n vec(G_n) vec(G_n)^T  ~  A (x) S

where g is the gradient of the *mean* loss with respect to the layer's output, as captured, and a
its input, with a 1 appended if there is a bias. With R locations in total and B examples,

    expand   A = (1/R) sum_nt a_nt a_nt^T,         S = N sum_nt g_nt g_nt^T
    reduce   A = (1/B) sum_n abar_n abar_n^T,      S = N sum_n gsum_n gsum_n^T

with abar_n the mean and gsum_n the sum over an example's locations. For a convolution a_nt is the
patch under the kernel; `expand` is then KFC (Grosse and Martens, 2016) up to a factor that moves
from one factor to the other. A recurrent layer shares its weight over time steps, which `expand`
treats as independent, the first of the approximations of Martens et al. (2018).

Sources: Martens and Grosse (2015); Eschenhagen et al. (2023) for weight sharing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.nn.functional import pad, unfold

from harness.core.errors import UnknownNameError
from harness.submission.interface import Capture
from submissions.common.factored_layers import SHARING
from submissions.common.symmetric_products import add_product
from workloads.parameters import LayerSpec

CHUNK_ENTRIES = 2**25
"""Maximum entries of per-example gradients held at once; 128 MiB in float32."""


class Uses(NamedTuple):
    """A layer's inputs and output gradients at every location, in float32."""

    inputs: torch.Tensor
    """a, (examples, locations, in), or in + 1 with a bias."""
    gradients: torch.Tensor
    """g of the mean loss, (examples, locations, out)."""


def uses(layer: LayerSpec, weight: torch.Size, capture: Capture[torch.Tensor]) -> Uses:
    """Arrange a capture with one row per location.

    Args:
        layer: a linear, convolution or recurrent layer.
        weight: the shape of its weight, (out, in) or (out, in, height, width).
        capture: inputs and output gradients; images are (batch, channels, height, width).

    Raises:
        UnknownNameError: the layer is of another kind.
    """
    if layer.kind == "convolution":
        patches = unfold(
            capture.inputs.float(), weight[2:], padding=layer.padding, stride=layer.stride
        )
        usage = Uses(patches.mT, capture.output_gradients.float().flatten(2).mT)
    elif layer.kind in ("linear", "recurrent"):
        usage = Uses(_places(capture.inputs), _places(capture.output_gradients))
    else:
        raise UnknownNameError("kind of layer", layer.kind, ("convolution", "linear", "recurrent"))
    return (
        usage if layer.bias is None else usage._replace(inputs=pad(usage.inputs, (0, 1), value=1))
    )


def _places(values: torch.Tensor) -> torch.Tensor:
    """Reshape (batch, ..., width) to (batch, locations, width)."""
    return values.float().reshape(len(values), -1, values.shape[-1])


def rows(usage: Uses, targets: int, sharing: str = "expand") -> tuple[torch.Tensor, torch.Tensor]:
    """Matrices X and Y with A = X^T X and S = Y^T Y.

    Args:
        usage: the layer's inputs and output gradients, from `uses`.
        targets: number of targets in the mean loss (N).
        sharing: one of `SHARING`.
    """
    if sharing not in SHARING:
        raise UnknownNameError("sharing", sharing, SHARING)
    inputs, gradients = usage
    if sharing == "reduce":
        inputs, gradients = inputs.mean(1), gradients.sum(1)
    else:
        inputs, gradients = inputs.flatten(0, 1), gradients.flatten(0, 1)
    return inputs / len(inputs) ** 0.5, gradients * targets**0.5


def accumulate(factor: torch.Tensor, x: torch.Tensor, beta: float) -> None:
    """F <- beta F + (1 - beta) X^T X in place; `factor` is (n, n), `x` (locations, n)."""
    add_product(factor, x.mT, x, beta=beta, alpha=1 - beta)


def second_moment(
    usage: Uses, targets: int, input_basis: torch.Tensor, output_basis: torch.Tensor
) -> torch.Tensor:
    """The exact diag(F) in the basis U_A (x) U_S: N sum_n (U_S^T G_n U_A)^2, (out, in).

    Args:
        usage: the layer's inputs and output gradients, from `uses`.
        targets: number of targets in the mean loss (N).
        input_basis: U_A, (in, in).
        output_basis: U_S, (out, out).
    """
    inputs, gradients = usage.inputs @ input_basis, usage.gradients @ output_basis
    if inputs.shape[1] == 1:
        return targets * gradients[:, 0].square().mT @ inputs[:, 0].square()
    total = inputs.new_zeros(gradients.shape[-1], inputs.shape[-1])
    for part in _chunks(len(inputs), total.numel()):
        total += torch.bmm(gradients[part].mT, inputs[part]).square_().sum(0)
    return targets * total


def _chunks(examples: int, entries: int) -> Iterator[slice]:
    size = max(1, CHUNK_ENTRIES // entries)
    return (slice(start, start + size) for start in range(0, examples, size))


def factored_damping(
    a: torch.Tensor, s: torch.Tensor, damping: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Damping for the diagonals of A and S: pi gamma and gamma / pi.

    pi^2 is the mean eigenvalue of A over that of S (Martens and Grosse, 2015, section 6.3).

    Args:
        a: A, (in, in).
        s: S, (out, out).
        damping: square root of the damping of the whole block (gamma).
    """
    tiny = torch.finfo(a.dtype).tiny ** 0.5
    ratio = a.diagonal().mean().clamp(min=tiny) / s.diagonal().mean().clamp(min=tiny)
    return ratio.sqrt() * damping, damping / ratio.sqrt()


def damped_inverse(factor: torch.Tensor, damping: torch.Tensor) -> torch.Tensor:
    """(F + d I)^-1 by Cholesky decomposition; NaN if the decomposition fails."""
    identity = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    root, info = torch.linalg.cholesky_ex(factor + damping * identity)
    inverse: torch.Tensor = torch.cholesky_inverse(root)
    return torch.where(info == 0, inverse, torch.nan)
