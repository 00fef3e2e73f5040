"""docs/TRUST.md names every case, in the list that its outcome puts it into."""

from pathlib import Path

from .arena import CASES as FOLDER
from .contained import OTHERWISE
from .table import CASES, CAUGHT, IMPOSSIBLE, RULE

TEXT = (Path(__file__).parents[2] / "docs" / "TRUST.md").read_text()
HEADS = {
    IMPOSSIBLE: "## Impossible by construction",
    CAUGHT: "## Caught by a check, a probe or an audit",
    RULE: "## Forbidden by rule only",
}
HELPERS = {"__init__", "honest", "machine_code", "wires"}


def listed_cases(kind: str) -> str:
    return TEXT.partition(HEADS[kind])[2].partition("\n## ")[0]


def test_every_case_stands_in_its_list() -> None:
    lacking = [case.name for case in CASES if f"`{case.name}`" not in listed_cases(case.kind)]
    assert lacking == []


def test_every_submission_is_a_case() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - HELPERS
    assert files == {case.name for case in CASES} | {"leave_queued"}
    assert "`leave_queued`" in listed_cases(CAUGHT)


def test_what_ends_otherwise_in_a_container_is_said_with_its_state() -> None:
    table = TEXT.partition("| case | in a container")[2].partition("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    output = {case.strip(" `"): ending for _, case, ending, *_ in rows}
    assert output.keys() == OTHERWISE.keys()
    assert all(f"`{state}`" in output[n] for n, end in OTHERWISE.items() for state in end.states)
