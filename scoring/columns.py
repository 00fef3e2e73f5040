"""The columns of the two frames that scoring reads: name, type, meaning and origin of each.

A results frame has one row per trial (`RESULTS`), a curves frame one row per value of a metric
(`CURVES`). All code that builds or reads these frames uses these declarations, and the tables in
docs/SCORING.md are generated from them; a column is declared nowhere else.
"""

from __future__ import annotations

from scoring.schema import Column, FrameSchema

RESULTS = FrameSchema(
    "results",
    (
        Column("suite", "text", "the suite's name"),
        Column("workload", "text", "the workload's name"),
        Column("variant", "text", "'base' or a held-out variant's name"),
        Column("framework", "text", "the framework's name"),
        Column("devices", "count", "how many devices trained one model"),
        Column("submission", "text", "the submission's name"),
        Column(
            "content_hash", "text", "hash of the submission's content; with the name, the entry"
        ),
        Column("location", "text", "where the submission lay: a path, or module:Class"),
        Column("ruleset", "text", "'external' or 'self'"),
        Column(
            "ruleset_trials",
            "count",
            "trials a study by the suite's ruleset; 0 if the suite is not known here",
        ),
        Column(
            "suite_workloads",
            "text",
            "the suite's workloads, joined by ', '; '' if it is not known here",
        ),
        Column("round", "text", "the commitment to the round's seed"),
        Column("space", "text", "names of the hyperparameters of its point, joined by ', '"),
        Column("study", "count", "the study, counted from 1"),
        Column("trial", "count", "the trial within its study, counted from 1"),
        Column("identity", "text", "SHA-256 of the trial"),
        Column(
            "state",
            "text",
            "reached, budget, diverged, crashed, out_of_memory, hung, invalid or unfinished",
        ),
        Column("reason", "text", "the state in words"),
        Column("time_to_target_s", "number", "the crossing of the target; infinite or NaN if none"),
        Column(
            "last_miss_s", "number", "the last miss before the hit; the true time lies between them"
        ),
        Column(
            "hit_s", "number", "the first hit after it; where others measured, the time to target"
        ),
        Column("steps_to_target", "number", "the worker's count at the first hit"),
        Column("examples_to_target", "number", "the worker's count at the first hit"),
        Column("setup_s", "number", "seconds of set-up off the clock, until the worker was ready"),
        Column("warm_up_s", "number", "seconds of warm-up off the clock"),
        Column("timed_s", "number", "seconds of training on the referee's clock"),
        Column("steps", "number", "steps in all"),
        Column("budget_s", "number", "the trial's budget"),
        Column("best_metric", "number", "the best validation metric seen"),
        Column("metric", "text", "the validation metric's name"),
        Column(
            "target", "number", "the value to reach; NaN where a baseline sets it and has not run"
        ),
        Column(
            "baseline",
            "text",
            "the submission that sets the target; '' where the workload declares it",
        ),
        Column(
            "baseline_fraction",
            "number",
            "the fraction of the budget up to which the baseline's curves count",
        ),
        Column("direction", "text", "'maximize' or 'minimize'"),
        Column("workload_hash", "text", "hash of the workload's content"),
        Column("hardware", "text", "the machine's fingerprint"),
        Column("threads", "text", "the CPU threads of one device"),
        Column("sandbox", "text", "what confined the worker"),
        Column(
            "versions",
            "text",
            "Python's and the packages' versions, as 'name version' joined by '; '",
        ),
        Column(
            "variables",
            "text",
            "the environment variables that steer kernels, joined by '; ', or 'none'",
        ),
        Column("harness_hash", "text", "hash of the harness's code that a trial can enter"),
        Column("begun_at", "text", "when it began, UTC, ISO 8601"),
        Column("origin", "text", "'measured' or 'imported'"),
        Column("scored", "flag", "whether it ran under the suite's own budget"),
        Column(
            "instance_seed", "text", "the instance: equal for all entries, which are compared on it"
        ),
        Column("record", "text", "the trial's folder"),
        Column("ended_at", "text", "when it ended, likewise", is_required=False),
        Column(
            "files", "text", "hash of the submission byte for byte, as it ran", is_required=False
        ),
        Column("attempt", "count", "the number of its last attempt", is_required=False),
        Column("resumed", "count", "how often that went on from a checkpoint", is_required=False),
        Column(
            "interference", "text", "what changed the machine, joined by '; '", is_required=False
        ),
        Column(
            "meant_for",
            "text",
            "the machine of a workload that is meant for another one than its suite, or ''",
            is_required=False,
        ),
        Column(
            "contention",
            "text",
            "what other programs took of its processors, if that is much",
            is_required=False,
        ),
        Column("last_miss_metric", "number", "the metric at the last miss", is_required=False),
        Column("hit_metric", "number", "the metric at the hit", is_required=False),
        Column("point", "values", "its hyperparameters", is_required=False),
        Column(
            "beyond",
            "text",
            "how its time lies beyond the convergence band; '' if it does not",
            is_required=False,
        ),
        Column("mark", "text", "its entry's mark, one of `harness.core.marks`", maker="marks"),
        Column("mark_reason", "text", "why it has that mark; '' where nobody said", maker="marks"),
        Column(
            "entry",
            "text",
            "what a score calls its entry (`scoring.frame.prepare`)",
            is_required=False,
            maker="scoring",
        ),
        Column(
            "column",
            "text",
            "what a score calls its workload, with its variant (`scoring.frame.prepare`)",
            is_required=False,
            maker="scoring",
        ),
        Column(
            "normalised",
            "text",
            "how another machine's seconds became this one's (`scoring.normalise`)",
            is_required=False,
            maker="scoring",
        ),
        Column(
            "hit_index",
            "number",
            "the index of its first evaluation at the target (`scoring.studies`)",
            is_required=False,
            maker="scoring",
        ),
        Column(
            "flops_to_target",
            "number",
            "the worker's count, for `--clock flops`",
            is_required=False,
            maker="others",
        ),
        Column(
            "joules_to_target",
            "number",
            "by the machine's meter, for `--clock joules`",
            is_required=False,
            maker="others",
        ),
    ),
)
"""One row per trial.

They include everything in a trial's identity or begin event that can affect a time, so that
`scoring.mixtures` can detect what must not be mixed. The values from the begin event, `hardware` to
`origin`, are '' before a trial has begun and if they were not published.
"""

CURVES = FrameSchema(
    "curves",
    (
        Column("identity", "text", "the trial"),
        Column("time_s", "number", "seconds of training on the referee's clock"),
        Column("step", "number", "the worker's count"),
        Column(
            "examples",
            "number",
            "the worker's count; targets that a baseline sets need it",
            is_required=False,
        ),
        Column("fraction", "number", "fraction of the budget spent"),
        Column("split", "text", "'validation', 'test', 'probe', 'diagnostics' or 'claimed'"),
        Column("metric", "text", "the metric's name"),
        Column("value", "number", "the metric's value"),
        Column(
            "standard_error",
            "number",
            "of a value from a part of its split, as an estimate of the whole; 0 of the whole",
            is_required=False,
        ),
    ),
)
"""One row per metric value after a step."""
