"""Change the calibrated lines of `workload.toml`; comments and order are preserved."""

from __future__ import annotations

import re
from pathlib import Path

from harness.calibration.summary import Summary
from harness.core.errors import HarnessError
from harness.core.files import write_whole
from workloads.spec import ReferenceSpeed, WorkloadSpec
from workloads.toml import parse_toml

Changes = dict[tuple[str, str], str]
"""New values as TOML text, by table and key."""


def changes_of(summary: Summary) -> Changes:
    """The values that a calibration sets in the workload's file."""
    place = f"suites.{summary.suite}"
    return {
        (f"{place}.target", "value"): repr(summary.target.value),
        (f"{place}.budget", "runtime_s"): repr(summary.budget_s),
        (f"{place}.budget", "horizon_steps"): str(summary.horizon_steps),
        (f"{place}.budget", "reference"): _table(summary.reference),
    }


def _table(reference: ReferenceSpeed) -> str:
    return f"{{ step_s = {reference.step_s!r}, startup_s = {reference.startup_s!r} }}"


def changed_text(text: str, changes: Changes, name: str) -> str:
    """Replace the values of some keys in TOML text.

    Args:
        text: the whole file; each changed key has its own line below its `[table]`.
        changes: the new values.
        name: the file's name in errors.

    Raises:
        HarnessError: a key is missing, or the result is not a valid workload.
    """
    lines, table, pending = text.splitlines(), "", dict(changes)
    for number, line in enumerate(lines):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            table = header[1].strip()
        setting = re.match(r"(\s*([\w-]+)\s*=\s*)([^#]*?)(\s*(?:#.*)?)$", line)
        if setting and (value := pending.pop((table, setting[2]), None)) is not None:
            lines[number] = f"{setting[1]}{value}{setting[4]}"
    if pending:
        (table, key), value = next(iter(pending.items()))
        raise HarnessError(f"{name} has no line '{key} = ...' below [{table}]", f"write {value}")
    new_text = "\n".join(lines) + "\n"
    parse_toml(new_text, name, WorkloadSpec)
    return new_text


def write_changes(path: Path, changes: Changes) -> None:
    """Change a `workload.toml` in place."""
    text = changed_text(path.read_text(encoding="utf-8"), changes, str(path))
    write_whole(path, text)


def changes_text(changes: Changes) -> str:
    """The changes as lines of TOML, for a user to copy."""
    return "\n".join(f"[{table}] {key} = {value}" for (table, key), value in changes.items())
