"""Calls an optimizer's `step` as it expects: with or without a closure, and with or without the
gradient's graph.

An optimizer whose `step` requires a closure (L-BFGS) gets one that re-evaluates the same batch. One
that differentiates the gradient (AdaHessian), and declares so by `is_second_order`, gets a gradient
with its graph. For one that declares neither, the error of its first step decides.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import cast

from torch import Tensor
from torch.optim import Optimizer

from harness.core.errors import HarnessError


class OptimizerStep:
    """Calls one optimizer's `step`.

    Args:
        optimizer: the optimizer of the trained parameters.
        world_size: the number of ranks.
    """

    def __init__(self, optimizer: Optimizer, world_size: int) -> None:
        self._optimizer, self._world_size = optimizer, world_size
        self._needs_closure = _needs_closure(optimizer)
        self._moves_first: bool | None = False
        """Whether it changes the parameters before it calls the closure; None until observed."""
        self.is_second_order = bool(getattr(optimizer, "is_second_order", False))

    def __call__(self, passes: Callable[[], Tensor], closure: Callable[[], Tensor]) -> Tensor:
        """Update once; returns the loss before the update.

        Args:
            passes: computes the batch's loss and gradient at the current parameters.
            closure: the same at parameters that the optimizer has changed meanwhile.
        """
        try:
            return self._update(passes, closure)
        except Exception as error:
            if not self._learns_from(error):
                raise
            return self._update(passes, closure)

    def _update(self, passes: Callable[[], Tensor], closure: Callable[[], Tensor]) -> Tensor:
        if not self._needs_closure:
            loss = passes()
            self._optimizer.step()
            return loss
        losses, start = [passes()] if self._moves_first else [], self._version()

        def note_loss() -> Tensor:
            if self._moves_first is None:
                self._moves_first = self._version() != start
            losses.append(closure())
            return losses[-1]

        # Torch declares that a closure gives a float, and passes on whatever it gives.
        self._optimizer.step(cast("Callable[[], float]", note_loss))
        return losses[0] if losses else passes()

    def _version(self) -> int:
        """A counter that grows with every in-place change of the optimizer's parameters."""
        groups = self._optimizer.param_groups
        return sum(value._version for group in groups for value in group["params"])

    def _learns_from(self, error: Exception) -> bool:
        """Whether an error reveals something that `step` needs and has not been given yet.

        A `step` that fails for lack of a closure already had the gradient. Whether it also needs
        the gradient before it calls the closure, as sharpness-aware optimizers do, shows in whether
        it changes the parameters first.

        Raises:
            HarnessError: it needs the gradient's graph, which is not available on several ranks.
        """
        if "closure" in str(error) and not self._needs_closure:
            self._needs_closure, self._moves_first = True, None
        elif "does not require grad" in str(error) and not self.is_second_order:
            if self._world_size > 1:
                raise HarnessError(
                    f"{type(self._optimizer).__name__} differentiates the gradient, of which "
                    "each rank has only its own slice's",
                    "leave out --devices",
                ) from error
            self.is_second_order = True
        else:
            return False
        return True


def _needs_closure(optimizer: Optimizer) -> bool:
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty
