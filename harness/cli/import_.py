"""`harness import algoperf`: convert published logs to a table of study times, or to records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.say import quote, say
from harness.core.files import write_whole
from harness.core.text import csv_text

app = typer.Typer(help="Import published results of other benchmarks.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Import published results of other benchmarks."""


@app.command("algoperf")
def import_algoperf(
    logs: Annotated[Path, typer.Argument(help="A folder of submissions' logs.")],
    *,
    rules: Annotated[
        str, typer.Option(help="Rules with targets: a shipped name, or a TOML file's path.")
    ] = "algoperf-v0.5",
    ruleset: Annotated[
        str | None,
        typer.Option(
            help="How records were tuned: external or self.",
            show_default="self where the folder is called self_tuning, else external",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="A table (FILE.csv), or a folder for records with their curves.")
    ],
) -> None:
    """Read AlgoPerf's logs: SUBMISSION/study_K/WORKLOAD_FRAMEWORK/trial_N/*.csv."""
    if out.suffix == ".csv":
        from scoring.logs import study_times
        from scoring.rules import load_rules

        table = study_times(logs, load_rules(rules))
        write_whole(out, csv_text(table))
        say(f"{len(table)} study times: {out}")
        command = quote("harness", "score", "--times", out, "--rules", rules)
        say(f"score them: {command}")
        return
    from harness.cli.import_records import import_records
    from harness.cli.machine import pick
    from harness.plan.plan import RULESETS

    default = "self" if logs.resolve().name == "self_tuning" else "external"
    ruleset_name = pick("ruleset", ruleset or default, RULESETS)
    say(f"{import_records(logs, rules, out, ruleset_name)} records: {out}")
    command = quote("harness", "score", out, "--rules", rules, "--allow", "mixed-frameworks")
    say(f"score them: {command}")
