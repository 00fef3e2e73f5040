"""Matrix-free products of curvature matrices with vectors.

With z(w) the logits of a batch of N targets, J = dz/dw, L the mean loss, H_L its Hessian with
respect to the logits and r_i = N dL/dz_i the gradient of one target's loss in its own logits,

    H v = d/dw <grad L(w), v>                             Hessian (Pearlmutter, 1994)
    G v = J^T H_L J v                                     Gauss-Newton (Schraudolph, 2002)
    F v = (1/N) J^T [r_i r_i^T (J v)_i]_i                 Fisher

Under cross-entropy H_L does not depend on the targets, and G is the exact Fisher. F is an unbiased
estimate of it if the targets are sampled from the model, and the empirical Fisher with the training
targets. Each target of a sequence counts separately. Under batch normalisation "the loss of one
target" still depends on the whole batch; J is that of the batch.

One graph is built per batch, and each product runs backward through it: J^T u is linear in u and
its derivative with respect to u along v is J v, so G v costs two backward passes and no forward
pass. Attention and recurrence cannot use their fused kernels, which have no second derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from harness.submission.interface import Batch, Problem, RandomState
from submissions.common.flat import flatten, unflatten

Product = Callable[[Tensor], Tensor]
"""Maps a vector (n,) to its product with a matrix (n, n)."""

FINITE_DIFFERENCE = 1e-3
"""Relative step length of a finite difference: about the square root of float32's precision."""


class LiveProblem(Problem[Tensor], Protocol):
    """What a torch problem provides in addition to `Problem`."""

    model: nn.Module
    device: torch.device
    generator: torch.Generator

    def batch_loss(self, batch: Batch[Tensor]) -> Tensor:
        """The loss at the live parameters, a scalar."""
        ...

    def note_passes(self, forward: int, backward: int, examples: int) -> None:
        """Count passes that are not counted automatically, in passes and examples."""
        ...


class Linearisation:
    """Loss, gradient and curvature of one batch at the live parameters.

    Valid as long as the parameters are unchanged; the graph lives as long as the object.

    Args:
        problem: the problem, evaluated once in a forward pass.
        batch: the examples.
        random: random state of the pass (dropout); None uses the global generator.
    """

    def __init__(
        self, problem: LiveProblem, batch: Batch[Tensor], random: RandomState = None
    ) -> None:
        self._problem = problem
        self._parameters = list(problem.parameters.values())
        self._batch = batch
        with torch.enable_grad():
            self._logits, self._loss = problem.evaluate({}, batch, random)
            self._probe = torch.zeros_like(self._logits, requires_grad=True)
        self._pullback: list[Tensor] = []

    @property
    def loss(self) -> Tensor:
        """The mean loss, a scalar."""
        return self._loss.detach()

    def gradient(self) -> Tensor:
        """The gradient of the loss, (n,)."""
        return flatten(self._backward(self._loss))

    def hessian(self) -> Product:
        """v -> H v."""
        with torch.enable_grad():
            gradients = self._backward(self._loss, create_graph=True)

        def product(vector: Tensor) -> Tensor:
            return flatten(self._backward(gradients, unflatten(vector, self._parameters)))

        return product

    def gauss_newton(self) -> Product:
        """v -> G v; the exact Fisher under cross-entropy."""
        logits = self._logits.detach()
        hessian_product = self._problem.loss.hessian_product
        return self._through_logits(lambda tangent: hessian_product(logits, tangent))

    def fisher(self, targets: Tensor | None = None) -> Product:
        """v -> F v with these targets; defaults to the batch's own (the empirical Fisher)."""
        targets = self._batch.targets if targets is None else targets
        residual, count = self._residual(targets), targets.numel()

        def outer_product(tangent: Tensor) -> Tensor:
            return residual * (residual * tangent).sum(-1, keepdim=True) * count

        return self._through_logits(outer_product)

    def sampled_targets(self, generator: torch.Generator) -> Tensor:
        """Targets sampled from the model's predictions."""
        return self._problem.loss.sample_targets(self._logits.detach(), generator)

    def target_gradient(self, targets: Tensor) -> Tensor:
        """The gradient of the loss under other targets, (n,)."""
        return flatten(self._backward(self._logits, self._residual(targets)))

    def _residual(self, targets: Tensor) -> Tensor:
        """dL/dz for the given targets, shaped as the logits."""
        logits = self._logits.detach().requires_grad_()
        with torch.enable_grad():
            value = self._problem.loss.value(logits, targets)
        (residual,) = torch.autograd.grad(value, logits)
        return residual

    def _through_logits(self, inner: Callable[[Tensor], Tensor]) -> Product:
        """v -> J^T inner(J v)."""

        def product(vector: Tensor) -> Tensor:
            return flatten(self._backward(self._logits, inner(self._tangent(vector))))

        return product

    def _tangent(self, vector: Tensor) -> Tensor:
        """J v, shaped as the logits; costs as much as a forward pass and is counted as one."""
        if not self._pullback:
            with torch.enable_grad():
                self._pullback = self._backward(self._logits, self._probe, create_graph=True)
        self._problem.note_passes(1, 0, len(self._logits))
        vectors = unflatten(vector, self._parameters)
        (tangent,) = torch.autograd.grad(self._pullback, self._probe, vectors, retain_graph=True)
        return tangent

    def _backward(
        self,
        outputs: Tensor | Sequence[Tensor],
        vectors: Tensor | Sequence[Tensor] | None = None,
        create_graph: bool = False,
    ) -> list[Tensor]:
        """Vector-Jacobian products of the outputs with respect to all parameters."""
        return list(
            torch.autograd.grad(
                outputs,
                self._parameters,
                vectors,
                retain_graph=True,
                create_graph=create_graph,
                materialize_grads=True,
            )
        )


def hessian_product(
    problem: LiveProblem,
    batch: Batch[Tensor],
    vectors: Mapping[str, Tensor],
    random: RandomState = None,
) -> dict[str, Tensor]:
    """H v at the live parameters, by name; costs one forward and two backward passes.

    Args:
        problem: the problem, evaluated on the batch.
        batch: the examples.
        vectors: the vector v as tensors with the parameters' names, order and shapes.
        random: random state of the pass, as in `Linearisation`.
    """
    product = Linearisation(problem, batch, random).hessian()
    result = product(flatten(vectors[name] for name in problem.parameters))
    parts = unflatten(result, list(problem.parameters.values()))
    return dict(zip(problem.parameters, parts, strict=True))


def finite_difference(
    gradient_at: Callable[[Tensor], Tensor], point: Tensor, gradient: Tensor
) -> Product:
    """v -> (grad L(w + e v) - grad L(w)) / e, which tends to H v.

    Args:
        gradient_at: maps a point (n,) to the gradient (n,) there, always on the same batch.
        point: the current point w, (n,).
        gradient: the gradient at w, (n,).
    """
    size: Tensor = FINITE_DIFFERENCE * (1.0 + point.norm())

    def product(vector: Tensor) -> Tensor:
        step: Tensor = size / vector.norm().clamp_min(torch.finfo(vector.dtype).tiny)
        return (gradient_at(point + step * vector) - gradient) / step

    return product


def add_damping(product: Product, damping: float | Tensor) -> Product:
    """v -> (A + lambda I) v, or (A + diag(lambda)) v for a vector lambda."""
    return lambda vector: product(vector).add_(damping * vector)


def parameters_of(problem: LiveProblem) -> Sequence[Tensor]:
    """The live parameters, in declared order."""
    return list(problem.parameters.values())
