"""Exact curvature matrices of a small classifier on a few examples, and their approximations.

With f_n(w) the logits of example n, p_n = softmax(f_n), J_n = df_n/dw and g_nc = J_n^T (p_n - e_c),
the gradient of -log p_n[c],

    Hessian H           of the mean loss
    Gauss-Newton G      mean_n J_n^T (diag(p_n) - p_n p_n^T) J_n
    Fisher F            mean_n sum_c p_n[c] g_nc g_nc^T           labels from the model, exactly
    empirical Fisher    mean_n g_ny g_ny^T                        labels from the data

For a linear layer with inputs a (and a 1 for its bias) and output gradients d, of which g is
vec(d a^T), F's block is E[d d^T (x) a a^T]. Its approximations, A = E[a a^T], S = E[d d^T],
L = E[D D^T] and R = E[D^T D] with D = d a^T:

    kfac       S (x) A                                       Martens and Grosse (2015)
    ekfac      its eigenvectors, F's own diagonal in them    George et al. (2018)
    shampoo    L^(1/2) (x) R^(1/2)                           Gupta et al. (2018)
    shampoo_squared   L (x) R / tr(L)                        Morwani et al. (2024)
    diagonal   F's own diagonal

Results, where the sine of the angle between matrices X and Y is the minimum of ||c X - Y||_F /
||Y||_F over all factors c:

    hessian_max, hessian_min, fisher_max    extreme eigenvalues
    gauss_newton_error      ||G - H||_F / ||H||_F
    fisher_error            ||F - G||_F / ||G||_F, zero but for rounding (Martens, 2014)
    empirical_distance      the sine between empirical Fisher and F
    blocks_distance         the sine between F's blocks, a layer each, and F
    kfac_distance, ...      the sine between an approximation and F's blocks, all layers together
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, vmap

from harness.core.errors import HarnessError
from harness.frameworks.base import LARGEST_CURVATURE
from harness.frameworks.examples import ModelSource
from harness.frameworks.model_source import layers_of
from harness.submission.interface import Batch

EXAMPLES = 256
"""The number of examples used of the batch: computing the matrices takes half a second."""
CHUNK = 64
"""Rows of the Hessian computed at a time."""


@dataclass(frozen=True)
class _Layer:
    """A linear layer's inputs and gradients on the batch.

    Args:
        inputs: a, (examples, in), with a last column of ones if the layer has a bias.
        gradients: sqrt(p_n[c]) g_nc as matrices, (examples, classes, out, in).
    """

    inputs: Tensor
    gradients: Tensor


def curvature_of(model: nn.Module, source: ModelSource, batch: Batch[Tensor]) -> dict[str, float]:
    """The results listed in the module's docstring, computed in float64.

    Args:
        model: the model; a copy of it is differentiated, in evaluation mode.
        source: the model's source, which declares the linear layers.
        batch: inputs (n, ...) and class labels (n,), of which `EXAMPLES` are used.

    Raises:
        HarnessError: the model is too large, or its loss is not the cross-entropy.
    """
    count = sum(value.numel() for value in model.parameters())
    if count > LARGEST_CURVATURE or source.loss != "cross_entropy" or batch.targets.ndim != 1:
        raise HarnessError(
            f"diagnostics 'curvature' of a model with {count} parameters and loss {source.loss}",
            f"allowed: at most {LARGEST_CURVATURE}, and cross-entropy with one target an example",
        )
    exact = copy.deepcopy(model).double().eval()
    weights = {name: value.detach() for name, value in exact.named_parameters()}
    inputs, targets = batch.inputs[:EXAMPLES].double(), batch.targets[:EXAMPLES]
    jacobian, chances = _jacobian(exact, weights, inputs)
    steps = torch.einsum("nk,nkp->np", chances, jacobian)[:, None] - jacobian  # all g_nc
    weighted_steps = chances.sqrt()[:, :, None] * steps
    own = steps[torch.arange(len(steps)), targets]
    fisher = _second_moment(weighted_steps.flatten(0, 1), len(inputs))
    layers = _layers(exact, source, weights, inputs, weighted_steps)
    return {
        **_matrices(_hessian(exact, weights, inputs, targets), fisher, jacobian, chances),
        "empirical_distance": _sine([_second_moment(own, len(own))], [fisher]),
        **_approximations(layers, fisher),
    }


def _jacobian(
    model: nn.Module, weights: Mapping[str, Tensor], inputs: Tensor
) -> tuple[Tensor, Tensor]:
    """J (examples, classes, parameters) and p (examples, classes)."""

    def logits(values: Mapping[str, Tensor], example: Tensor) -> Tensor:
        output: Tensor = functional_call(model, dict(values), (example[None],))
        return output[0]

    by_name = vmap(jacrev(logits), in_dims=(None, 0))(dict(weights), inputs)
    jacobian = torch.cat([by_name[name].flatten(2) for name in weights], dim=2)
    with torch.no_grad():
        return jacobian, functional_call(model, dict(weights), (inputs,)).softmax(-1)


def _hessian(
    model: nn.Module, weights: Mapping[str, Tensor], inputs: Tensor, targets: Tensor
) -> Tensor:
    """H (parameters, parameters)."""
    sizes = [value.numel() for value in weights.values()]

    def loss(flat: Tensor) -> Tensor:
        parts = zip(weights.items(), flat.split(sizes), strict=True)
        values = {name: part.view_as(value) for (name, value), part in parts}
        return nn.functional.cross_entropy(functional_call(model, values, (inputs,)), targets)

    flat = torch.cat([value.flatten() for value in weights.values()])
    hessian: Tensor = jacrev(grad(loss), chunk_size=CHUNK)(flat).detach()
    return hessian


def _matrices(
    hessian: Tensor, fisher: Tensor, jacobian: Tensor, chances: Tensor
) -> dict[str, float]:
    means = torch.einsum("nk,nkp->np", chances, jacobian)
    spread = _second_moment((chances.sqrt()[:, :, None] * jacobian).flatten(0, 1), len(means))
    gauss_newton = spread - _second_moment(means, len(means))
    spectrum = torch.linalg.eigvalsh(hessian)
    return {
        "hessian_max": spectrum[-1].item(),
        "hessian_min": spectrum[0].item(),
        "fisher_max": torch.linalg.eigvalsh(fisher)[-1].item(),
        "gauss_newton_error": ((gauss_newton - hessian).norm() / hessian.norm()).item(),
        "fisher_error": ((fisher - gauss_newton).norm() / gauss_newton.norm()).item(),
    }


def _layers(
    model: nn.Module,
    source: ModelSource,
    weights: Mapping[str, Tensor],
    inputs: Tensor,
    weighted_steps: Tensor,
) -> list[_Layer]:
    """The linear layers, each with its columns of the gradients."""
    sizes = [value.numel() for value in weights.values()]
    columns = dict(zip(weights, weighted_steps.split(sizes, dim=2), strict=True))
    layers = []
    for layer in layers_of(source):
        layer_inputs = _inputs_of(
            model.get_submodule(layer.weight.rpartition(".")[0]), model, inputs
        )
        gradients = columns[layer.weight].unflatten(2, weights[layer.weight].shape)
        if layer.bias is not None:
            layer_inputs = torch.cat([layer_inputs, torch.ones_like(layer_inputs[:, :1])], dim=1)
            gradients = torch.cat([gradients, columns[layer.bias][..., None]], dim=3)
        layers.append(_Layer(layer_inputs, gradients))
    return layers


def _inputs_of(module: nn.Module, model: nn.Module, inputs: Tensor) -> Tensor:
    inputs_by_call: list[Tensor] = []
    hook = module.register_forward_pre_hook(
        lambda _, arguments: inputs_by_call.append(arguments[0])
    )
    with torch.no_grad():
        model(inputs)
    hook.remove()
    return inputs_by_call[0]


def _approximations(layers: list[_Layer], fisher: Tensor) -> dict[str, float]:
    """The distances of all approximations from the blocks, and of the blocks from F."""
    blocks = [_second_moment(each.gradients.flatten(2).flatten(0, 1), len(each.inputs))
              for each in layers]  # fmt: skip
    matrices = [_approximate_blocks(each) for each in layers]
    # The blocks are a part of F: the angle's cosine is ||blocks|| / ||F||.
    part = sum(block.square().sum().item() for block in blocks) / fisher.square().sum().item()
    distances = {f"{name}_distance": _sine([each[name] for each in matrices], blocks)
                 for name in matrices[0]}  # fmt: skip
    diagonals = [block.diagonal().diag() for block in blocks]
    return {
        "blocks_distance": max(0.0, 1.0 - part) ** 0.5,
        **distances,
        "diagonal_distance": _sine(diagonals, blocks),
    }


def _approximate_blocks(layer: _Layer) -> dict[str, Tensor]:
    """Each method's approximation of a layer's block, (out * in, out * in)."""
    count, inputs, steps = len(layer.inputs), layer.inputs, layer.gradients
    squares = inputs.square().sum(1).clamp_min(torch.finfo(inputs.dtype).tiny)
    outputs = torch.einsum("ncoi,ni->nco", steps, inputs) / squares[:, None, None]  # d of d a^T
    a, s = _second_moment(inputs, count), _second_moment(outputs.flatten(0, 1), count)
    left = torch.einsum("ncoi,ncpi->op", steps, steps) / count
    right = torch.einsum("ncoi,ncoj->ij", steps, steps) / count
    return {
        "kfac": torch.kron(s, a),
        "ekfac": _in_eigenbasis(steps, s, a),
        "shampoo": torch.kron(_root(left), _root(right)),
        "shampoo_squared": torch.kron(left, right) / left.trace(),
    }


def _in_eigenbasis(steps: Tensor, s: Tensor, a: Tensor) -> Tensor:
    """The block's diagonal in the eigenbasis of S (x) A, transformed back."""
    left, right = torch.linalg.eigh(s)[1], torch.linalg.eigh(a)[1]
    diagonal = torch.einsum("ncoi,op,iq->ncpq", steps, left, right).square().sum((0, 1))
    basis = torch.kron(left, right)
    return basis * (diagonal.flatten() / len(steps)) @ basis.T


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = vectors * values.clamp_min(0.0).sqrt() @ vectors.T
    return root


def _second_moment(rows: Tensor, count: int) -> Tensor:
    return rows.T @ rows / count


def _sine(estimates: list[Tensor], exact: list[Tensor]) -> float:
    """The sine of the angle between two lists of matrices, taken as vectors."""
    product = sum((x * y).sum().item() for x, y in zip(estimates, exact, strict=True))
    squares = [sum(each.square().sum().item() for each in side) for side in (estimates, exact)]
    cosine = product / (squares[0] * squares[1]) ** 0.5 if all(squares) else 0.0
    return math.sqrt(max(0.0, 1.0 - cosine**2))
