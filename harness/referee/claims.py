"""Converts what a worker reports in its messages into events of the record."""

from __future__ import annotations

from harness.protocol.messages import Profiled, Progress, Warm
from harness.record import schema


def warm_up_of(warm: Warm) -> schema.Warm:
    """The event of a warm-up."""
    return schema.Warm(compile_s=warm.compile_s, steps=warm.steps)


def claims_of(message: Progress) -> schema.Claims:
    """The worker's report on its training up to a snapshot."""
    return schema.Claims(
        examples=message.examples,
        train_loss=message.train_loss,
        learning_rate=message.learning_rate,
        forwards=message.forwards,
        backwards=message.backwards,
        snapshots_s=message.snapshots_s,
    )


def profile_of(message: Profiled) -> schema.StepProfile:
    """The worker's profile of some steps."""
    return schema.StepProfile(
        steps=message.steps,
        steps_s=message.steps_s,
        data_s=message.data_s,
        passes_s=message.passes_s,
    )
