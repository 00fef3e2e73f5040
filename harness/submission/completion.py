"""Completes a class written by an author into a full `Submission`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, SupportsFloat

from harness.core.errors import HarnessError
from harness.submission.entry import BareSubmission
from harness.submission.interface import Hyperparameters, Problem, Stream
from harness.submission.parametrisation import check_rule
from harness.submission.state import ArrayT, StateDict
from harness.submission.step_rules import refuse_rules

STATE = ("state_dict", "load_state_dict")
"""Each needs the other."""


class CompletedSubmission(Generic[ArrayT]):
    """An author's class with defaults for the methods that it lacks.

    By default `eval_parameters` returns `problem.parameters`, and `learning_rate` None. Without
    `state_dict` and `load_state_dict` there are no checkpoints: a killed trial starts over.

    Args:
        inner: an instance of the submission's class.
        prepare: called before `setup` with the problem and the point; it sets the initial
            parameters that the point asks for.
    """

    def __init__(
        self,
        inner: BareSubmission[ArrayT],
        prepare: Callable[[Problem[ArrayT], Hyperparameters], None],
    ) -> None:
        self.inner = inner
        self._prepare = prepare
        self._problem: Problem[ArrayT]
        self.step: Callable[[Stream[ArrayT]], SupportsFloat | None] = inner.step
        self.averages_weights = bool(getattr(inner, "averages_weights", False))
        for names in (("eval_parameters",), ("learning_rate",), STATE):
            if all(hasattr(inner, name) for name in names):
                for name in names:
                    setattr(self, name, getattr(inner, name))

    def setup(self, problem: Problem[ArrayT], hyperparameters: Hyperparameters) -> None:
        """Set the submission up.

        Raises:
            HarnessError: the point, or the number of ranks, requires something that the class does
                not declare that it supports.
        """
        self._problem = problem
        check_class(type(self.inner), hyperparameters)
        _check_ranks(type(self.inner), problem.ranks.world_size)
        self._prepare(problem, hyperparameters)
        self.inner.setup(problem, hyperparameters)

    def eval_parameters(self) -> Mapping[str, ArrayT]:
        """The live parameters."""
        return self._problem.parameters

    def learning_rate(self) -> float | None:
        """Unknown."""
        return None

    def state_dict(self) -> StateDict[ArrayT]:
        """Not known.

        Raises:
            HarnessError: always, as the class does not say what its state is.
        """
        raise HarnessError(*self._no_state)

    def load_state_dict(self, _: StateDict[ArrayT], /) -> None:
        """Not supported.

        Raises:
            HarnessError: always.
        """
        raise HarnessError(*self._no_state)

    @property
    def _no_state(self) -> tuple[str, str]:
        return (
            f"{type(self.inner).__name__} has no {' and '.join(STATE)}",
            "write both, and a killed trial goes on where it was",
        )


def check_class(kind: type[object], hyperparameters: Hyperparameters) -> None:
    """Refuse options that wrap an optimizer and cannot be applied between the passes of a class.

    Raises:
        HarnessError: the point asks for clipping or a parametrisation that the class does not
            declare to support, by `clips_gradients` or `parametrisation_rules`; or for a step rule.
    """
    clips = bool(getattr(kind, "clips_gradients", False))
    if float(hyperparameters.get("clip", 0.0)) != 0.0 and not clips:
        raise HarnessError(
            "clip is set, and this submission is a class that makes its own passes",
            "set clip = 0.0; a class that clips by itself says so by clips_gradients = True",
        )
    check_rule(hyperparameters, getattr(kind, "parametrisation_rules", ()))
    refuse_rules(hyperparameters, "this submission is a class that makes its own steps")


def _check_ranks(kind: type[object], world_size: int) -> None:
    """Refuse several ranks, each with a slice of the batch, unless the class declares support.

    Raises:
        HarnessError: there are several ranks, and the class has no `averages_over_ranks`.
    """
    if world_size > 1 and not getattr(kind, "averages_over_ranks", False):
        raise HarnessError(
            f"{kind.__name__} makes its own passes, which on {world_size} devices are of a slice "
            "of each batch",
            "leave out --devices; a class that takes its means over problem.ranks says so by "
            "averages_over_ranks = True",
        )
