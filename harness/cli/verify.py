"""`harness verify`: check a folder of records against itself, its round and its ledger."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.say import say
from harness.core.text import displayable

if TYPE_CHECKING:
    from harness.verification.store import Finding, Verification


def verify(
    out: Annotated[
        Path, typer.Argument(help="A folder of records, or an archive of `harness bundle`.")
    ],
    *,
    round_file: Annotated[
        Path | None,
        typer.Option(
            "--round", help="The round's file with its revealed seed.", show_default=False
        ),
    ] = None,
    score: Annotated[
        Path | None,
        typer.Option(help="A file of `harness score --json` to compare.", show_default=False),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Name every mismatch, not only the first.")
    ] = False,
) -> None:
    """Recompute hashes, states, results and scores from the raw events; name a mismatch.

    It checks trial.json, events.jsonl and ledger.jsonl. worker.log and tensorboard/ are not
    evidence: nothing is computed from them.
    """
    from harness.cli.bundles import opened_store

    with ExitStack() as stack:
        _verify(opened_store(out, stack), round_file, score, every=every)


def _verify(out: Path, round_file: Path | None, score: Path | None, *, every: bool) -> None:
    from harness.cli.verify_score import score_mismatch
    from harness.core.errors import HarnessError
    from harness.plan.redraw import known_seed, mismatches, unknown_suites
    from harness.plan.rounds import read_round
    from harness.verification.store import Finding, verify_store

    round_ = read_round(round_file) if round_file else None
    seed = round_.seed if round_ else None
    if round_ is not None and seed is None:
        raise HarnessError(f"{round_file} does not contain its seed", "harness round reveal SECRET")
    verification = verify_store(out)
    trials = [record.trial for record in verification.records]
    findings = [
        *verification.findings,
        *(Finding(t.folder, what) for t, what in mismatches(trials, seed)),
    ]
    if score is not None and (what := score_mismatch(out, score)):
        findings.append(Finding(str(score), what))
    sealed_trials = sum(bool(t.round_commitment) and known_seed(t, seed) is None for t in trials)
    _say(verification, sealed_trials)
    for suite in unknown_suites(trials):
        say(f"the budgets of suite '{displayable(suite)}' are not checked: it is not known here")
    if findings:
        _name(findings if every else findings[:1], len(findings))
        raise typer.Exit(1)
    say("everything fits")


def _say(verification: Verification, sealed_trials: int) -> None:
    say(f"{verification.trials} trials read, {verification.unfinished_trials} of them unfinished")
    if verification.reruns:
        say(f"{verification.reruns} reruns by command; each is marked in ledger and events")
    for note in verification.texts:
        say(displayable(note))
    if sealed_trials:
        say(f"{sealed_trials} trials of a round whose seed is not known here: see --round")


def _name(findings: list[Finding], count: int) -> None:
    for finding in findings:
        say(f"mismatch: {displayable(str(finding))}", err=True)
    if count > len(findings):
        say(f"  {count - len(findings)} more: --all names them", err=True)
