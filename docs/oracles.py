"""Write the table at the top of `docs/ORACLES.md`: each submission, its oracle and how far it is.

The differences are measured here, by running the tests that `docs/oracles.toml` names: they pass
them to the fixture `measure`. Run `make oracles` after adding a submission or changing a test; a
test fails if the table misses a submission or its words are stale.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PAGE = DOCS / "ORACLES.md"
TESTS = "tests/submissions"
BEGIN = "<!-- Written by `make oracles` from docs/oracles.toml and the tests that it names. -->"
END = "<!-- Here ends what `make oracles` writes. -->"
HEAD = """\
## Every submission

*Difference* is the largest of any parameter from the oracle after twenty steps, or after any of
them, over all cases of the test; *in JAX* that from our PyTorch version. Both are measured by
`make oracles`. The sections below say what is set to make the two comparable.

| submission | source | oracle | difference | in JAX |
|---|---|---|---|---|
"""
DEVIATIONS = """\

### Deviations from the sources
As each docstring states them.

"""
Figures = Mapping[str, tuple[str, str]]
"""By submission: the difference in PyTorch and in JAX, as written."""
NONE = ("", "")


@dataclass
class Measurements:
    """A pytest plugin that keeps the largest difference of every test."""

    by_node: dict[str, float] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a passed test has measured."""
        differences = [v for k, v in report.user_properties if k == "largest_difference"]
        if report.when == "call" and report.passed and differences:
            values = [value for value in differences if isinstance(value, float)]
            self.by_node[report.nodeid] = max(values)


def read_oracles() -> dict[str, dict[str, str]]:
    """The entries of `oracles.toml`, by submission."""
    return tomllib.loads((DOCS / "oracles.toml").read_text())


def tests_of(entry: Mapping[str, str]) -> list[str]:
    """`FILE::FUNCTION[CASE]` in PyTorch and, if there is one, in JAX."""
    return [entry[key] for key in ("test", "jax") if key in entry]


def measure(oracles: Mapping[str, Mapping[str, str]]) -> Figures:
    """Run the tests and write down the largest difference of each submission.

    Raises:
        SystemExit: a test failed, or measured nothing.
    """
    functions = {t.partition("[")[0] for entry in oracles.values() for t in tests_of(entry)}
    plugin = Measurements()
    arguments = ["-q", "-m", "", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    nodes = [str(ROOT / TESTS / function) for function in sorted(functions)]
    if code := pytest.main([*arguments, *nodes], plugins=[plugin]):
        raise SystemExit(int(code))
    return {
        name: (
            largest(entry["test"], plugin.by_node),
            largest(entry["jax"], plugin.by_node) if "jax" in entry else "",
        )
        for name, entry in oracles.items()
    }


def largest(test: str, by_node: Mapping[str, float]) -> str:
    """The largest difference over a function's cases: all, or those with CASE among their names."""
    function, _, case = test.rstrip("]").partition("[")
    values = [
        value
        for node, value in by_node.items()
        if node.partition("[")[0].endswith(function)
        and (not case or case in node.partition("[")[2].rstrip("]").split("-"))
    ]
    if not values:
        raise SystemExit(f"{test} measured nothing: pass its difference to the fixture `measure`")
    return number_text(max(values))


def number_text(value: float) -> str:
    """One digit and an exponent, as in 2e-7; 0 for exact agreement."""
    return re.sub(r"e([+-])0*(\d)", r"e\1\2", f"{value:.0e}").replace("e+", "e") if value else "0"


def deviations(name: str) -> str:
    """What a submission's docstring says after "Deviations"."""
    code = (ROOT / "submissions" / name / "submission.py").read_text()
    text = ast.get_docstring(ast.parse(code)) or ""
    match = re.search(r"(?:^|\s)Deviations?:?\s+(.*?)(?:\n\n|\Z)", text, re.DOTALL)
    return "not stated" if match is None else " ".join(match[1].split())


def table(figures: Figures) -> str:
    """All that stands between the two marks."""
    oracles, names = read_oracles(), submissions()
    facts = tomllib.loads((DOCS / "algorithms.toml").read_text())
    if missing := [name for name in names if name not in oracles]:
        raise SystemExit(f"docs/oracles.toml lacks {', '.join(missing)}: add oracle and test")
    rows = [row(name, facts[name]["sources"], oracles[name], figures) for name in names]
    lines = [f"- `{name}`: {deviations(name)}" for name in names]
    return "\n".join([BEGIN, "", HEAD + "\n".join(rows), DEVIATIONS + "\n".join(lines), "", END])


def row(name: str, sources: Iterable[str], entry: Mapping[str, str], figures: Figures) -> str:
    """One line of the table."""
    links = ", ".join(f"[{key}](REFERENCES.md#{key})" for key in sources)
    cells = (f"`{name}`", links, entry["oracle"], *figures.get(name, NONE))
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def submissions() -> list[str]:
    """The names of all included submissions."""
    return sorted(file.parent.name for file in (ROOT / "submissions").glob("*/space.toml"))


def read_figures(page: str, names: Collection[str]) -> dict[str, tuple[str, str]]:
    """The differences that the page has."""
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines()]
    names_by_text = {f"`{name}`": name for name in names}
    own = [cells for cells in rows if len(cells) == 7 and cells[1] in names_by_text]
    return {names_by_text[cells[1]]: (cells[4], cells[5]) for cells in own}


def with_table(page: str, figures: Figures) -> str:
    """The page with its table anew."""
    before, _, rest = page.partition(BEGIN)
    return before + table(figures) + rest.partition(END)[2]


def main(names: Collection[str]) -> None:
    """Measure the named submissions, or all, and write the page."""
    page, oracles = PAGE.read_text(), read_oracles()
    selection: dict[str, Any] = {n: e for n, e in oracles.items() if not names or n in names}
    figures = {**read_figures(page, submissions()), **measure(selection)}
    PAGE.write_text(with_table(page, figures))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(sys.argv[1:])
