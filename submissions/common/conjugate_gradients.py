"""Conjugate gradients for A x = b using only products with A (Hestenes and Stiefel, 1952).

    r_0 = b - A x_0,   z = M^-1 r,   p_0 = z_0
    alpha = r^T z / p^T A p,   x <- x + alpha p,   r <- r - alpha A p
    p <- z + beta p,   beta = (r^T z)_new / (r^T z)_old

Each iterate minimises q(x) = x^T A x / 2 - b^T x over the subspace searched so far. If p^T A p is
not positive, A is not positive definite and the search ends with the current iterate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
Stop = Callable[["Progress"], bool]

STORE_RATIO = 1.3
"""Iterates are stored at iteration counts growing by this factor (Martens, 2010, section 4.6)."""
MARTENS_TOLERANCE = 5e-4


@dataclass
class Progress:
    """Progress of a search.

    Attributes:
        residual: Euclidean norm of b - A x.
        values: q(x) at the start and after each iteration.
    """

    residual: float
    values: list[float]


@dataclass
class Solution:
    """The last iterate, and optionally earlier ones.

    Attributes:
        x: the solution, (n,).
        iterations: number of iterations, each one product with A.
        values: q at the start and after each iteration.
        iterates: stored iterates with their q, in order up to the last; empty unless `keep`.
    """

    x: Tensor
    iterations: int
    values: list[float]
    iterates: list[tuple[Tensor, float]] = field(default_factory=list)


def residual_below(tolerance: float) -> Stop:
    """Stop once the residual norm is at most `tolerance`."""
    return lambda progress: progress.residual <= tolerance


def relative_progress(tolerance: float = MARTENS_TOLERANCE) -> Stop:
    """Stop once q has stopped decreasing (Martens, 2010, section 4.4).

    With k = max(10, i / 10), stop after iteration i if i > k, q(x_i) < 0 and
    (q(x_i) - q(x_{i-k})) / q(x_i) < k tolerance.
    """

    def stop(progress: Progress) -> bool:
        count = len(progress.values) - 1
        back = max(10, math.ceil(0.1 * count))
        last = progress.values[-1]
        if count <= back or last >= 0.0:
            return False
        return (last - progress.values[-1 - back]) / last < back * tolerance

    return stop


@torch.no_grad()
def conjugate_gradients(
    product: Product,
    b: Tensor,
    start: Tensor | None = None,
    *,
    stop: Stop,
    iterations: int,
    preconditioner: Product | None = None,
    keep: bool = False,
) -> Solution:
    """Solve A x = b.

    Args:
        product: v -> A v, with A symmetric.
        b: right-hand side, (n,).
        start: x_0; zero by default, which saves one product.
        stop: stopping criterion, checked before each iteration.
        iterations: maximum number of iterations.
        preconditioner: r -> M^-1 r; none by default.
        keep: whether to store earlier iterates.
    """
    x = torch.zeros_like(b) if start is None else start.clone()
    residual = b.clone() if start is None else b - product(x)
    search = _Search(product, preconditioner or torch.clone, x, residual)
    progress = Progress(float(residual.norm()), [search.value(b)])
    solution = Solution(x, 0, progress.values)
    next_store, last_store = 1, 0
    while solution.iterations < iterations and progress.residual > 0.0 and not stop(progress):
        if not search.advance():
            break
        solution.iterations += 1
        progress.residual = float(search.residual.norm())
        progress.values.append(search.value(b))
        if keep and solution.iterations >= next_store:
            solution.iterates.append((x.clone(), progress.values[-1]))
            next_store = max(solution.iterations + 1, math.ceil(next_store * STORE_RATIO))
            last_store = solution.iterations
    if keep and last_store < solution.iterations:
        solution.iterates.append((x, progress.values[-1]))
    return solution


class _Search:
    """The vectors of the recurrence; x and the residual are updated in place."""

    def __init__(self, product: Product, precondition: Product, x: Tensor, r: Tensor) -> None:
        self.product, self.precondition = product, precondition
        self.x, self.residual = x, r
        z = precondition(r)
        self.direction = z.clone()
        self.size = r @ z

    def value(self, b: Tensor) -> float:
        """q(x) = -x^T (r + b) / 2."""
        return -0.5 * float(self.x @ (self.residual + b))

    def advance(self) -> bool:
        """Run one iteration; return False, changing nothing, if the curvature is not positive."""
        image = self.product(self.direction)
        curvature = self.direction @ image
        if not bool(curvature > 0.0):
            return False
        alpha = self.size / curvature
        self.x.add_(alpha * self.direction)
        self.residual.sub_(alpha * image)
        z = self.precondition(self.residual)
        size = self.residual @ z
        self.direction.mul_(size / self.size).add_(z)
        self.size = size
        return True
