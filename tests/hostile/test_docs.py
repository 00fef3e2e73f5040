"""docs/TRUST.md names every case, in the list that its outcome puts it into."""

from pathlib import Path

from .arena import CASES as FOLDER
from .table import CASES, CAUGHT, IMPOSSIBLE, RULE

TEXT = (Path(__file__).parents[2] / "docs" / "TRUST.md").read_text()
HEADS = {
    IMPOSSIBLE: "## Impossible by construction",
    CAUGHT: "## Caught by a check, a probe or an audit",
    RULE: "## Forbidden by rule only",
}
HELPERS = {"__init__", "honest", "machine_code", "wires"}


def listed(kind: str) -> str:
    return TEXT.partition(HEADS[kind])[2].partition("\n## ")[0]


def test_every_case_stands_in_its_list() -> None:
    lacking = [case.name for case in CASES if f"`{case.name}`" not in listed(case.kind)]
    assert lacking == []


def test_every_submission_is_a_case() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - HELPERS
    assert files == {case.name for case in CASES} | {"leave_queued"}
    assert "`leave_queued`" in listed(CAUGHT)
