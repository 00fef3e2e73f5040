import json
import re
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError
from scoring.draws import draw_medians
from scoring.evaluate import score_results
from scoring.rules import load_rules
from scoring.sequential import compare_sequentially
from scoring.site.boards import Options, make_boards
from scoring.site.curves import thin
from scoring.site.material import Change, Gap, Material, Withdrawal
from scoring.site.names import file_names
from scoring.site.ranking import rank_entries
from scoring.site.scripts import script
from scoring.site.tables import table_files
from scoring.site.write import write_site
from scoring.speedup import compare_pair, pair_limits

from .made_frames import frame
from .made_sites import HOSTILE, material, ports, results, site

OPTIONS = Options(load_rules(), draws=200)
NAMES = ["adamw", "muon", HOSTILE, "soap"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board of four entries, one of which has a hostile name."""
    return site(tmp_path_factory.mktemp("site") / "pages", material(results(NAMES, workloads=2)))


def test_entries_that_differ_by_noise_share_a_rank() -> None:
    times = {("a", "w"): [10.0, 12, 11], ("b", "w"): [11.0, 10.5, 12], ("c", "w"): [31.0, 33, 30]}
    ranking = rank_entries(score_results(frame(times)), draws=400)
    assert ranking is not None
    assert ranking.ranks.tolist() == [1, 1, 3]


def test_a_screening_has_no_ranks() -> None:
    assert rank_entries(score_results(frame({("a", "w"): [1.0], ("b", "w"): [9.0]}))) is None


def test_ranks_settle_pairs_as_a_comparison_does() -> None:
    random = np.random.default_rng(1)
    times = {
        (f"e{s}", f"w{w}"): list((1 + 0.12 * s) * random.uniform(10, 17, 4))
        for s in range(7)
        for w in "abc"
    }
    capped = {key: [t if t < 24 else np.inf for t in values] for key, values in times.items()}
    board = score_results(frame(capped))
    ranking = rank_entries(board, draws=300)
    assert ranking is not None
    medians = np.concatenate(list(draw_medians(board.times, board.rules, 300, 0).chunks))
    expected = np.zeros((7, 7), dtype=bool)
    for a, b in permutations(range(7), 2):
        limits = pair_limits(board.times, a, b).take(board.base_columns)
        pair = compare_pair(medians[:, a], medians[:, b], limits)
        test = compare_sequentially(board.times, f"e{a}", f"e{b}", board.rules)
        expected[a, b] = pair.wins >= 0.975 and test.p_value <= 0.05
    assert 0 < expected.sum() < 21
    assert (ranking.is_settled == expected).all()


def test_a_name_of_a_file_is_safe_and_depends_on_no_other() -> None:
    texts = ["adamw", "AdamW", "torch.optim:SGD", "../../etc", "", "a b", "con", HOSTILE]
    names = file_names(texts)
    assert names["adamw"] == "adamw"
    assert len({name.lower() for name in names.values()}) == len(texts)
    assert all(re.fullmatch(r"[a-z0-9_][a-z0-9_.-]*", name) for name in names.values())
    assert file_names(["a b"])["a b"] == names["a b"]


def test_no_text_ends_the_script_that_it_is_in() -> None:
    text = script("entry", "k", {"name": HOSTILE, "value": float("nan")})
    assert "<" not in text
    assert ">" not in text
    assert json.loads(text[len('GD.take("entry","k",') : -3]) == {"name": HOSTILE, "value": None}


def test_a_thinned_curve_keeps_ends_and_extremes() -> None:
    values = np.random.default_rng(0).standard_normal(10_000)
    values[4321] = 9.0
    keep = thin(values, 200)
    assert len(keep) <= 200
    assert {0, 9_999, 4321, int(values.argmin())} <= set(keep.tolist())
    assert thin(values[:50]).tolist() == list(range(50))


def test_everything_that_a_user_typed_is_escaped(pages: Path) -> None:
    for page in pages.rglob("*.html"):
        text = page.read_text()
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    assert "&lt;img src=x" in (pages / "index.html").read_text()
    assert "alert(1)" in (pages / "data/board.js").read_text()


def test_no_page_asks_anything_of_elsewhere(pages: Path) -> None:
    for page in pages.parent.rglob("*.html"):
        links = re.findall(r'(?:href|src)="([^"]*)"', page.read_text())
        assert not [link for link in links if re.match(r"[a-z]+:|//", link)]


def broken_links(folder: Path) -> list[str]:
    """The links of all pages that lead nowhere, with their pages."""
    return [
        f"{page}: {link}"
        for page in folder.rglob("*.html")
        for link in re.findall(r'(?:href|src)="([^"#?]+)[^"]*"', page.read_text())
        if not (page.parent / link).exists()
    ]


def test_every_link_leads_somewhere(pages: Path) -> None:
    assert not broken_links(pages.parent)


def test_every_table_lies_beside_the_page_as_csv_and_json(pages: Path) -> None:
    tables = {path.name for path in (pages / "tables").iterdir()}
    for name in ("entries-seconds", "times-steps", "studies-seconds", "trials", "curves"):
        assert {f"{name}.csv", f"{name}.json"} <= tables
    entries = pd.read_json(pages / "tables/entries-seconds.json")
    assert set(entries["submission"]) == set(NAMES)
    assert {"rank", "score", "score_low", "speedup", "reached"} <= set(entries.columns)


def test_the_board_says_how_many_targets_were_reached(tmp_path: Path) -> None:
    misses = {("adamw", "a"): [9.0], ("adamw", "b"): [9.0], ("sgd", "a"): [8.0]}
    board = site(tmp_path / "s", material(frame(misses | {("sgd", "b"): [np.inf]})))
    rows = re.findall(r"<tr role=\"row\" data-i.*?</tr>", (board / "index.html").read_text())
    reached = {re.findall(r">(\w+)</a></th>", row)[0]: re.findall(r"\d of \d", row) for row in rows}
    assert reached == {"adamw": ["2 of 2"], "sgd": ["1 of 2"]}


def test_only_a_board_with_ranks_says_how_to_see_what_is_settled(
    pages: Path, tmp_path: Path
) -> None:
    screening = site(tmp_path / "s", material(results(["adamw", "muon"], workloads=1, studies=1)))
    assert "settled against it" in (pages / "index.html").read_text()
    assert "settled against it" not in (screening / "index.html").read_text()


def test_the_json_of_a_table_has_its_numbers_to_the_last_bit() -> None:
    table = pd.DataFrame({"score": [1 / 3, np.inf, np.nan], "rank": [1, 2, 3]})
    texts = dict(table_files({"entries": table}))
    assert json.loads(texts["entries.json"]) == [
        {"score": 1 / 3, "rank": 1}, {"score": None, "rank": 2}, {"score": None, "rank": 3},
    ]  # fmt: skip


def test_the_bundled_library_lies_beside_its_licence(pages: Path) -> None:
    assets = pages.parent / "assets"
    assert "MIT License" in (assets / "uPlot.LICENSE.txt").read_text()
    assert "uPlot" in (assets / "uPlot.iife.min.js").read_text()[:80]


def test_of_two_ports_the_page_has_where_their_seconds_come_from(tmp_path: Path) -> None:
    board = site(tmp_path / "s", ports(), allow=("mixed-frameworks",))
    text = next((board / "data/a").glob("adamw-jax*.js")).read_text()
    (seconds, steps, cost, trials, remark), _ = json.loads(text[text.index("{") : -3]).values()
    assert (seconds[0], steps[0], cost[0]) == pytest.approx((1 / 1.5, 1.0, 1 / 1.5), abs=1e-3)
    assert (trials, remark) == (
        18, "two ports of adamw whose steps differ within noise; "
        "a step of adamw (jax) costs more seconds",
    )  # fmt: skip


def test_a_state_of_an_earlier_date_stays_as_it_was(tmp_path: Path) -> None:
    of = material(results(["adamw", "muon"], workloads=1))
    board = site(tmp_path / "s", of, date="2026-01-01")
    before = (board / "dated/2026-01-01/index.html").read_text()
    (board / "dated/2026-01-01/assets/board.js").write_text("// of that day")
    site(tmp_path / "s", material(results(["adamw", "soap"], workloads=1)), date="2026-01-05")
    assert (board / "dated/2026-01-01/index.html").read_text() == before
    assert re.findall(r'src="([^"]*board.js)"', before) == ["data/board.js", "assets/board.js"]
    assert (board / "dated/2026-01-01/assets/board.js").read_text() == "// of that day"
    assert "muon" in (board / "dated/2026-01-01/data/board.js").read_text()
    assert 'href="dated/2026-01-01/index.html"' in (board / "index.html").read_text()


def test_what_a_rule_refuses_has_a_page_that_says_so_and_no_score(tmp_path: Path) -> None:
    trials = results(["adamw", "muon"], workloads=1)
    trials.loc[0, ["state", "reason"]] = ["unfinished", "the trial has not ended"]
    board = site(tmp_path / "s", material(trials))
    text = (board / "index.html").read_text()
    assert "rule &#39;unfinished-trials&#39;" in text
    assert "--allow unfinished-trials" in text
    assert "8 of 9 ended" in text
    assert "1 of 9 have not ended" in (board / "s/adamw.html").read_text()


def test_nothing_to_show_makes_a_page_that_says_what_is_missing(tmp_path: Path) -> None:
    gap = Gap("old", "its trial has schema_version 1, this version reads 2")
    empty = Material(pd.DataFrame(), pd.DataFrame(), gaps=(gap,))
    text = (site(tmp_path / "s", empty) / "index.html").read_text()
    assert "schema_version 1" in text
    assert "There is no trial to show yet" in text


def test_changes_of_a_board_are_shown_with_their_reasons(tmp_path: Path) -> None:
    change = Change("2026-01-01T00:00", "withdrawn", "0123", "<b>measured twice</b>")
    of = replace(material(results(["adamw"], workloads=1)), changes=(change,))
    site(tmp_path / "s", of)
    assert "&lt;b&gt;measured twice&lt;/b&gt;" in (tmp_path / "s/index.html").read_text()


def test_marks_stand_on_every_page_and_what_is_held_has_its_own(tmp_path: Path) -> None:
    trials = results(["adamw", "muon", "soap"], workloads=1)
    trials.loc[trials["submission"].eq("muon"), ["mark", "mark_reason"]] = ["held", "too good"]
    trials.loc[trials["submission"].eq("soap"), "mark"] = "audited"
    board = site(tmp_path / "s", material(trials))
    front = (board / "index.html").read_text()
    assert '<td role="cell" class="mark">audited</td>' in front
    assert "<h2>Not ranked</h2>" in front
    assert "held: muon is not ranked: too good" in front
    assert "held" in (board / "s/muon.html").read_text()
    assert "<td>held</td>" in (board / "w/w0.html").read_text()
    assert '"mark":"held","mark_reason":"too good"' in (board / "data/e/muon.js").read_text()
    entries = pd.read_json(board / "tables/entries-seconds.json")
    assert dict(zip(entries["submission"], entries["mark"], strict=True)) == {
        "adamw": "self-reported", "soap": "audited",
    }  # fmt: skip
    assert pd.read_json(board / "tables/unranked.json")["submission"].tolist() == ["muon"]


def test_what_was_withdrawn_is_named_without_its_times(tmp_path: Path) -> None:
    withdrawal = Withdrawal("quick", "external", "muon", "measured under load")
    of = replace(material(results(["adamw"], workloads=1)), withdrawn=(withdrawal,))
    front = (site(tmp_path / "s", of) / "index.html").read_text()
    assert "<td>withdrawn</td>" in front
    assert "measured under load" in front


def test_the_page_of_an_entry_that_is_gone_says_so_and_its_data_are_removed(tmp_path: Path) -> None:
    board = site(tmp_path / "s", material(results(["adamw", "muon", "soap"])), date="2026-01-01")
    assert (board / "data/e/muon.js").exists()
    site(tmp_path / "s", material(results(["adamw", "soap"])), date="2026-01-02")
    assert "No longer shown" in (board / "s/muon.html").read_text()
    assert "No longer shown" not in (board / "s/soap.html").read_text()
    current = [path for path in (board / "data").rglob("*") if path.is_file()]
    assert not [path for path in current if "muon" in str(path.relative_to(board))]
    assert "muon" in (board / "dated/2026-01-01/data/board.js").read_text()
    assert not broken_links(tmp_path)


def test_a_board_of_which_nothing_is_left_keeps_its_earlier_states_alone(tmp_path: Path) -> None:
    trials = results(["adamw", "muon"], workloads=1)
    other = trials.assign(ruleset="self")
    both = pd.concat([trials, other.assign(identity=other["identity"].map(lambda i: i[::-1]))])
    site(tmp_path, material(both), date="2026-01-01")
    site(tmp_path, material(trials), date="2026-01-02")
    (gone,) = [b.parent for b in tmp_path.glob("*/index.html") if "self" in b.parent.name]
    assert "No longer shown" in (gone / "index.html").read_text()
    assert "No longer shown" in (gone / "s/muon.html").read_text()
    assert not list((gone / "data").rglob("*.js")) and not (gone / "pair.html").exists()
    assert "muon" in (gone / "dated/2026-01-01/data/board.js").read_text()


def test_a_submissions_page_parts_what_was_searched_from_what_was_fixed(tmp_path: Path) -> None:
    trials = results(["adamw"], workloads=1, studies=1, trials=2)
    points = pd.Series([{"learning_rate": rate, "beta1": 0.9} for rate in (0.01, 0.5)])
    page = (site(tmp_path, material(trials.assign(point=points))) / "s/adamw.html").read_text()
    assert re.search(r"Searched.*learning_rate 0.01 to 0.5", page)
    assert re.search(r"Fixed.*beta1 0.9", page)
    assert '<td class="point">learning_rate 0.5</td>' in page


def test_the_page_of_a_single_point_has_all_of_it(tmp_path: Path) -> None:
    trials = results(["adamw"], workloads=1, studies=1, trials=1)
    points = pd.Series([{"learning_rate": 0.01, "beta1": 0.9}])
    page = (site(tmp_path, material(trials.assign(point=points))) / "s/adamw.html").read_text()
    assert "Searched" not in page
    assert '<td class="point">beta1 0.9, learning_rate 0.01</td>' in page


def test_set_up_and_warm_up_stand_beside_the_times_of_every_page(pages: Path) -> None:
    for page in ("s/adamw.html", "w/w0.html"):
        assert '<td class="n">2.00 + 1.50</td>' in (pages / page).read_text()
    assert '"free":[["2.00 + 1.50"' in (pages / "data/board.js").read_text()


def test_each_suite_and_ruleset_is_a_board_of_its_own() -> None:
    both = pd.concat([
        frame({("a", "w"): [10.0, 11.0]}),
        frame({("b", "w"): [10.0, 11.0]}, suite="standard", ruleset="self"),
    ])  # fmt: skip
    boards = make_boards(material(both), OPTIONS)
    assert [board.title for board in boards] == ["quick, external tuning", "standard, self-tuning"]
    assert [board.entries for board in boards] == [("a",), ("b",)]


def test_a_clock_that_some_trial_lacks_is_not_taken_for_a_miss() -> None:
    trials = frame({("a", "w"): [10.0, 11.0], ("b", "w"): [12.0, 13.0]})
    trials.loc[0, "examples_to_target"] = np.nan
    (board,) = make_boards(material(trials), OPTIONS)
    assert list(board.views) == ["seconds", "steps"]
    assert board.gaps[0].place == "the clock examples"


def test_without_the_reference_the_best_takes_its_place() -> None:
    (board,) = make_boards(
        material(frame({("a", "w"): [10.0, 10.0], ("b", "w"): [20.0] * 2})), OPTIONS
    )
    view = board.views["seconds"]
    assert view.against == "the best of each workload"
    assert [item.overall for item in view.factors if item] == pytest.approx([1.0, 0.5])


def test_a_reference_that_is_on_no_board_is_refused_by_name(tmp_path: Path) -> None:
    options = replace(OPTIONS, reference="muno")
    with pytest.raises(HarnessError, match="unknown reference 'muno'; did you mean 'muon'"):
        write_site(material(results(["muon"])), options, tmp_path, date="2026-01-01", version="1")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_site_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(HarnessError, match="not the folder of a site"):
        site(tmp_path, material(results(["adamw"], workloads=1)))
    assert (tmp_path / "mine.txt").read_text() == "mine"
