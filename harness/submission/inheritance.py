"""How a branch's submission goes on in the state that its trunk's has left."""

from __future__ import annotations

from harness.submission.interface import Hyperparameters, Submission
from harness.submission.state import ArrayT, StateDict


def inherit(
    submission: Submission[ArrayT], state: StateDict[ArrayT], point: Hyperparameters
) -> None:
    """Give a submission the state of another trial; what its own point says stays.

    A torch optimizer's state has its hyperparameters beside the rest, so the submission around it
    has a method `inherit`, which takes them apart. All others are given the state as it is: what a
    class keeps in it is the trunk's.

    Args:
        submission: set up at its own point.
        state: what `state_dict` gave in the other trial.
        point: that trial's hyperparameters.
    """
    own = getattr(submission, "inherit", None)
    if callable(own):
        own(state, point)
    else:
        submission.load_state_dict(state)
