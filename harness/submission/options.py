"""Names of hyperparameters: options that a space need not name, and synonyms in optimizer classes.

What stands around an optimizer reads them (`harness.submission.averages`, `.step_rules`,
`.parametrisation`, gradient clipping), or the schedules of `submissions.common.schedules`. By
default they are off.
"""

from __future__ import annotations

from collections.abc import Collection

from harness.submission import averages, step_rules

AROUND = (*averages.SETTINGS, *step_rules.SETTINGS, "clip", "parametrisation")
SCHEDULE_OPTIONS = (
    "cooldown", "cooldown_power", "cooldown_shape", "drops", "final_factor", "gradient_norms",
    "initial_factor", "norm_power", "rest_cooldown", "smoothing",
)  # fmt: skip
"""Options of a point that has a `schedule`."""
SYNONYMS = {
    "learning_rate": ("lr", "alpha", "eta", "step_size"),
    "weight_decay": ("wd", "decay", "weight_decay_rate"),
}
"""Other names that optimizer classes use for these arguments. Only the first can mean nothing else:
`torch.optim.RMSprop`, for example, has an `alpha` besides its `lr`."""
SPIKE_OPTIONS = ("spike_factor", "spike_phase")
"""Options of a point that has a `schedule` and refreshes a preconditioner."""


def options_of(hyperparameters: Collection[str]) -> tuple[str, ...]:
    """The names of the options that a point with these hyperparameters may also set."""
    names: tuple[str, ...] = AROUND
    if "schedule" in hyperparameters:
        names += SCHEDULE_OPTIONS
        if "refresh_every" in hyperparameters:
            names += SPIKE_OPTIONS
    return tuple(name for name in names if name not in hyperparameters)
