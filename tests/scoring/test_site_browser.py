"""The site in Debian's chromium, from a file: what a reader does, and how fast it answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from .browsing import Reader, reading
from .made_frames import frame
from .made_sites import HOSTILE, material, ports, results, site

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.system
NAMES = ["adamw", "muon", HOSTILE, *(f"entry_{place:02}" for place in range(17))]
REPEATS = 5
SLOWED = 4
"""How much slower the processor is made where answers are timed."""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site(tmp_path_factory.mktemp("site") / "pages", material(results(NAMES, workloads=2)))


@pytest.fixture
def reader(browser: Browser, board: Path) -> Iterator[Reader]:
    with reading(browser, board) as reader:
        yield reader


def test_a_column_sorts_both_ways_by_pointer_and_by_keyboard(reader: Reader) -> None:
    reader.open("index.html")
    reader.page.get_by_role("button", name="submission").click()
    assert reader.names() == sorted(NAMES, key=str.lower)
    reader.page.get_by_role("button", name="submission").press("Enter")
    assert reader.names() == sorted(NAMES, key=str.lower, reverse=True)
    head = reader.page.locator("th[data-key=name]")
    assert head.get_attribute("aria-sort") == "descending"


def test_search_and_filters_leave_what_fits(reader: Reader) -> None:
    reader.open("index.html")
    reader.page.fill("#search", "entry_1")
    assert len(reader.names()) == 7
    assert reader.page.inner_text("#count") == "7 of 20 entries"
    reader.page.fill("#search", "")
    reader.page.select_option("select[data-filter=family]", label="sign")
    assert len(reader.names()) == 6


def test_the_clock_switches_cells_ranks_and_order(reader: Reader) -> None:
    reader.open("index.html")
    reader.page.select_option("#cells", "time")
    seconds = reader.number(5)
    reader.page.select_option("#clock", "steps")
    assert reader.number(5) == pytest.approx(100 * seconds, rel=0.01)
    assert "the worker's claim" in reader.page.inner_text("#said")


def test_the_arrow_keys_show_who_is_settled_against_whom(reader: Reader) -> None:
    reader.open("index.html")
    reader.page.locator("#board tbody th a").first.focus()
    reader.page.keyboard.press("ArrowDown")
    reader.page.locator("tr.chosen").wait_for()
    reader.page.locator("tr.slower").first.wait_for()
    assert reader.page.locator("tr.slower").count() >= 5


def test_a_cell_leads_to_its_submission_and_on_to_the_trial(reader: Reader) -> None:
    reader.open("index.html")
    reader.page.locator("#board tbody tr", has_text="muon").locator("td.f a").first.click()
    reader.page.locator(".uplot canvas").first.wait_for()
    assert reader.page.url.endswith("s/muon.html#w0")
    reader.page.locator("tr#w0 td a").nth(1).click()
    reader.page.locator(".uplot canvas").first.wait_for()
    assert reader.page.inner_text("h1").startswith("muon on w0, study 1")
    assert "harness rerun OUT --trial" in reader.page.inner_text("main")


def test_a_pair_says_whether_it_is_settled_and_overlays_curves(reader: Reader) -> None:
    reader.open("pair.html?a=adamw&b=entry_16")
    reader.page.locator(".uplot canvas").first.wait_for()
    assert "Settled: adamw is faster." in reader.page.inner_text("main")
    assert reader.page.locator("h2", has_text="By steps").count() == 1
    reader.page.get_by_label("Entry B").select_option("muon")
    reader.page.locator("h1", has_text="adamw against muon").wait_for()


def test_a_pair_with_an_entry_that_is_not_ranked_says_so(reader: Reader) -> None:
    reader.open("pair.html?a=adamw&b=gone")
    assert "Not ranked on this board: gone" in reader.page.inner_text("main")


def test_a_miss_that_ended_too_early_bounds_no_ratio_of_a_screening(
    browser: Browser, tmp_path: Path
) -> None:
    times = {
        ("adamw", "a"): [10.0],
        ("dear", "a"): [np.inf],
        ("adamw", "b"): [5.0],
        ("dear", "b"): [5.0],
    }
    trials = frame(times)
    trials.loc[trials["state"].eq("budget"), "steps"] = 60
    with reading(browser, site(tmp_path / "s", material(trials))) as reader:
        reader.open("pair.html?a=adamw&b=dear")
        rows = reader.page.locator("tr", has=reader.page.get_by_role("link", name="a", exact=True))
        rows.nth(1).wait_for()
        assert rows.nth(0).locator("td").nth(3).inner_text() == ">= 6"
        assert rows.nth(1).locator("td").nth(3).inner_text() == "?"
        means = reader.page.locator("tr", has_text="geometric mean")
        assert means.nth(0).locator("td").nth(3).inner_text() == ">= 2.45"
        assert means.nth(1).locator("td").nth(3).inner_text() == "1"


def test_of_two_ports_the_pair_page_says_that_a_step_costs_more(
    browser: Browser, tmp_path: Path
) -> None:
    board = site(tmp_path / "ports", ports(), allow=("mixed-frameworks",))
    slugs = sorted(path.stem for path in (board / "data/a").glob("adamw*.js"))
    with reading(browser, board) as reader:
        reader.open(f"pair.html?a={slugs[1]}&b={slugs[0]}")
        line = reader.page.get_by_role("row", name="cost of a step")
        assert line.locator("td").nth(1).inner_text() == "1.5"
        page_text = reader.page.inner_text("main")
        assert (
            "whose steps differ within noise; a step of adamw (jax) costs more seconds" in page_text
        )


def test_a_workload_draws_the_entries_that_are_ticked(reader: Reader) -> None:
    reader.open("w/w0.html")
    reader.page.locator(".uplot canvas").first.wait_for()
    reader.page.locator("#entries input:checked").first.uncheck()
    reader.page.locator(".u-legend .u-series").nth(2).wait_for()
    reader.page.select_option("#curves select >> nth=1", "steps")
    assert reader.page.locator("figcaption").inner_text() == "validation accuracy"


def test_a_hostile_name_is_text_on_every_page(reader: Reader) -> None:
    slug = next((reader.board / "s").glob("*script*")).stem
    for name in ("index.html", f"s/{slug}.html", f"pair.html?a={slug}&b=muon", "w/w0.html"):
        reader.open(name)
        reader.page.wait_for_load_state("load")
        assert reader.page.get_by_text(HOSTILE).first.count() == 1
        assert reader.page.locator("img[src=x]").count() == 0


def test_an_address_that_names_nothing_says_so(reader: Reader) -> None:
    reader.open("trial.html?e=muon&t=0000")
    reader.page.locator(".note", has_text="no such trial").wait_for()
    reader.open("trial.html")
    reader.page.locator(".note", has_text="names no entry").wait_for()


def test_dark_is_what_the_reader_wants_or_chooses(reader: Reader) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    reader.page.emulate_media(color_scheme="dark")
    reader.open("index.html")
    assert reader.page.evaluate(colour) == "rgb(18, 22, 29)"
    reader.page.click("#theme")
    assert reader.page.evaluate(colour) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("name", ["index.html", "s/muon.html", "w/w0.html", "pair.html"])
def test_a_phone_scrolls_tables_and_no_page(reader: Reader, name: str) -> None:
    reader.page.set_viewport_size({"width": 400, "height": 800})
    reader.open(name)
    reader.page.wait_for_load_state("load")
    reader.page.wait_for_timeout(300)
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 400


def test_print_has_the_whole_table_and_no_controls(reader: Reader) -> None:
    reader.open("index.html")
    reader.page.emulate_media(media="print")
    assert reader.page.locator("#controls").is_hidden()
    assert len(reader.names()) == 20
    assert reader.page.pdf()[:4] == b"%PDF"


def test_the_page_of_a_board_without_scripts_shows_the_table(browser: Browser, board: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    reader = Reader(context.new_page(), board)
    reader.open("index.html")
    assert sorted(reader.names()) == sorted(NAMES)
    context.close()


@pytest.mark.slow
def test_a_board_of_a_thousand_is_light_and_answers_at_once(
    browser: Browser, tmp_path: Path
) -> None:
    names = ["adamw", *(f"entry_{place:03}" for place in range(999))]
    board = site(tmp_path / "s", material(results(names)))
    weight = page_weight(board)
    assert weight <= 2_000_000
    with reading(browser, board) as reader:
        times = measure(reader)
    text = ", ".join(f"{name} {value:.0f} ms" for name, value in times.items())
    print(f"{weight:,} bytes; first paint, and {SLOWED} times slowed: {text}")
    assert times["paint"] < 500
    assert times["sort"] < 100
    assert times["filter"] < 100


def page_weight(board: Path) -> int:
    """The bytes that the board's page loads."""
    files = [board / "index.html", board / "data/board.js"]
    files += [board.parent / "assets" / name for name in ("site.css", "site.js", "board.js")]
    return sum(file.stat().st_size for file in files)


def measure(reader: Reader) -> dict[str, float]:
    """Milliseconds to the first paint, and with a slowed processor until a sort or filter shows."""
    reader.open("index.html")
    reader.page.wait_for_load_state("load")
    paint = reader.page.evaluate("performance.getEntriesByType('paint')[0].startTime")
    session = reader.page.context.new_cdp_session(reader.page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    times = {"paint": float(paint)}
    for name, action in ACTIONS.items():
        again = []
        for _ in range(REPEATS):
            reader.page.locator(WHOLE).wait_for()
            again.append(reader.page.evaluate(TIMED.replace("ACTION", action)))
        times[name] = min(again)  # what others do on the machine only adds to it
    return times


WHOLE = "#board:not([aria-busy=true])"
"""The table once all its rows are there again."""
ACTIONS = {
    "sort": "document.querySelector('[data-key=score] button').click()",
    "clock": "const clock = document.getElementById('clock'); "
    "clock.value = clock.value === 'steps' ? 'seconds' : 'steps'; "
    "clock.dispatchEvent(new Event('change'))",
    "filter": "const box = document.getElementById('search'); box.value = box.value ? '' : '7'; "
    "box.dispatchEvent(new Event('input'))",
}
TIMED = """new Promise((resolve) => requestAnimationFrame(() => {
    const start = performance.now();
    ACTION;
    document.body.getBoundingClientRect();
    resolve(performance.now() - start);
}))"""
"""The time of an action and of the layout after it."""
