"""How an optimizer's `step` wants to be called: with a closure or without, the gradient with its
graph or without.

An optimizer whose `step` must have a closure (L-BFGS) gets one that computes the same batch again;
one that takes derivatives of the gradient (AdaHessian) gets it with its graph, and says so by
`is_second_order`. Of those that declare neither, the first step's error tells it.
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
        optimizer: over what is trained.
        world_size: how many ranks train together.
    """

    def __init__(self, optimizer: Optimizer, world_size: int) -> None:
        self._optimizer, self._world_size = optimizer, world_size
        self._needs_closure = _needs_closure(optimizer)
        self._moves_first: bool | None = False
        """Whether it moves the parameters before it calls the closure; None until that is seen."""
        self.is_second_order = bool(getattr(optimizer, "is_second_order", False))

    def __call__(self, passes: Callable[[], Tensor], closure: Callable[[], Tensor]) -> Tensor:
        """Update once; the loss before it.

        Args:
            passes: computes the batch's loss and gradient where the parameters are.
            closure: the same where the optimizer has moved them to.
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
        """A count that grows with every change of what the optimizer trains."""
        groups = self._optimizer.param_groups
        return sum(value._version for group in groups for value in group["params"])

    def _learns_from(self, error: Exception) -> bool:
        """Whether an error says what the optimizer's `step` needs, and it has not had it yet.

        One that asks for a closure has the gradient by then. Whether it needs that before the
        closure is called, as sharpness-aware ones do, is seen by what it moves first.

        Raises:
            HarnessError: it needs what several ranks do not have.
        """
        if "closure" in str(error) and not self._needs_closure:
            self._needs_closure, self._moves_first = True, None
        elif "does not require grad" in str(error) and not self.is_second_order:
            if self._world_size > 1:
                raise HarnessError(
                    f"{type(self._optimizer).__name__} takes derivatives of the gradient, which "
                    "each rank has of its slice alone",
                    "leave out --devices",
                ) from error
            self.is_second_order = True
        else:
            return False
        return True


def _needs_closure(optimizer: Optimizer) -> bool:
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty
