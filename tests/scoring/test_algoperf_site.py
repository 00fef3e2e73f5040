"""The published leaderboard of AlgoPerf v0.5 as a board like our own, read in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from scoring.rules import load_rules
from tests.tiers import nightly_but

from .browsing import Reader, reading
from .published import expected_scores, needs_logs

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.system, needs_logs]
RULES = "algoperf-v0.5"
RULESETS = {"self": ("self_tuning", "v05_self"), "external": ("external_tuning", "v05_ext")}


@pytest.fixture(scope="module", params=nightly_but(["self"], RULESETS))
def ruleset(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def board(ruleset: str, algoperf_logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its pages, by the two commands that a reader would type."""
    folder = tmp_path_factory.mktemp("board")
    logs, store, out = (str(p) for p in (algoperf_logs / RULESETS[ruleset][0], folder / "store",
                                         folder / "site"))  # fmt: skip
    flags = ["--rules", RULES, "--reference", "baseline", "--allow", "mixed-frameworks"]
    for words in (
        ["import", "algoperf", logs, "--rules", RULES, "--out", store],
        ["site", store, "--out", out, "--resamples", "500", *flags],
    ):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
    return folder / "site" / f"{RULES}-{ruleset}"


@pytest.fixture
def reader(browser: Browser, board: Path) -> Iterator[Reader]:
    with reading(browser, board) as reader:
        yield reader


def test_the_board_has_the_published_scores_in_their_order(reader: Reader, ruleset: str) -> None:
    expected = expected_scores(RULESETS[ruleset][1])
    reader.open("index.html")
    reader.page.locator("[data-key=score] button").click()
    names = reader.names()
    cells = reader.page.locator("#board tbody tr td:nth-child(5)").all_text_contents()
    scores = {name: float(cell.split()[0]) for name, cell in zip(names, cells, strict=True)}
    assert scores == pytest.approx(expected["published"], abs=6e-4)
    assert [scores[name] for name in names] == sorted(scores.values(), reverse=True)
    lines = json.loads((reader.board / "tables/entries-seconds.json").read_text())
    full = {line["submission"]: line["score"] for line in lines}
    assert full == pytest.approx(expected["official"], abs=1e-12, rel=0)


def test_its_columns_are_the_base_workloads_and_the_held_out_ones_have_pages(
    reader: Reader,
) -> None:
    rules = load_rules(RULES)
    reader.open("index.html")
    heads = reader.page.locator("#board thead th").all_text_contents()
    assert sorted(heads[6:]) == sorted(rules.base)
    assert len(list((reader.board / "w").glob("*.html"))) == len(rules.base) + len(rules.held_out)
    assert "mixed-frameworks" in reader.page.inner_text("main")


def test_its_clock_switches_to_steps_and_it_says_that_examples_were_not_published(
    reader: Reader,
) -> None:
    reader.open("index.html")
    reader.page.select_option("#clock", "steps")
    assert "Clock: steps" in reader.page.inner_text("#said")
    assert reader.page.locator("#clock option").all_text_contents() == ["seconds", "steps"]
    assert "the clock examples" in reader.page.inner_text("main")


def test_its_other_pages_draw_the_published_curves(reader: Reader) -> None:
    entry = next(path.stem for path in (reader.board / "s").glob("schedule_free_adamw*.html"))
    for name in (f"s/{entry}.html", "w/fastmri.html", f"pair.html?a={entry}&b=baseline"):
        reader.open(name)
        reader.page.locator(".uplot canvas").first.wait_for()
