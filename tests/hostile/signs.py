"""What shows that a hostile submission has succeeded."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from harness.record.attempts import of_type
from harness.record.schema import Evaluation, WorkerFailed

from .arena import Outcome


def brought_down(outcome: Outcome) -> bool:
    return "the referee could not go on" in outcome.result.reason


def stole_time(outcome: Outcome) -> bool:
    """Whether the half seconds stolen at four points of the grid are not on the clock."""
    return outcome.log.count("stole") == 4 and outcome.result.timed_s < 2.0


def computed_while_frozen(outcome: Outcome) -> bool:
    """Whether a program came to its end between two instants when the worker was frozen.

    One that began before and ended after them may have stood still, as it should.
    """
    worked = [line.split() for line in outcome.log.splitlines() if line.startswith("worked")]
    ends = [float(end) for _, _, end in worked]
    return any(from_s + 0.005 < end < until_s for end in ends for from_s, until_s in outcome.frozen)


def is_reached(outcome: Outcome) -> bool:
    return outcome.result.state == "reached"


def is_not(state: str) -> Callable[[Outcome], bool]:
    return lambda outcome: outcome.result.state != state


def loss_is_zero(outcome: Outcome) -> bool:
    losses = [e.validation["loss"] for e in of_type(outcome.events, Evaluation)]
    return 0.0 in losses


def steps_were_free(outcome: Outcome) -> bool:
    """Whether claimed steps have ended the trial before its time."""
    is_early = outcome.result.timed_s < 0.99 * outcome.trial.budget.runtime_s
    return outcome.result.steps >= 10**12 and is_early


def commands_the_terminal(outcome: Outcome) -> bool:
    failed = [event.error for event in of_type(outcome.events, WorkerFailed)]
    return any("\x1b" in text or "\u202e" in text for text in [outcome.result.reason, *failed])


def evaluated_is_what_was_sent(outcome: Outcome) -> bool:
    """Whether all that was evaluated after the attack were zeros, which tell no class apart."""
    losses = [e.validation["loss"] for e in of_type(outcome.events, Evaluation)]
    return len(losses) >= 2 and losses == pytest.approx([math.log(10)] * len(losses))
