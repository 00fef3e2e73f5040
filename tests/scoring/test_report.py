import re
from base64 import b64decode
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from harness.core.errors import HarnessError
from scoring.evaluate import score_results
from scoring.frame import prepare
from scoring.report import figures
from scoring.report.figures import curves_figure, data_uri
from scoring.report.page import render_page, write_page
from scoring.report.style import pens
from scoring.report.tables import number, rank_text, trial_table
from scoring.uncertainty import assess

from .made_frames import curves, frame


def results() -> pd.DataFrame:
    times = {("muon", "mlp"): [10.0, 11.0], ("adamw", "mlp"): [15.0, np.inf]}
    return frame(times, record="/results/<trial>")


def page(trials: pd.DataFrame) -> str:
    board = score_results(trials)
    return render_page(board, assess(board, "adamw", 200), trials, curves(trials), Path("/results"))


def test_the_page_is_complete_in_itself() -> None:
    text = page(results())
    links = re.findall(r'(?:href|src)="([^"]*)"', text)
    assert all(link.startswith(("#", "data:image/")) for link in links)
    assert "<script" not in text
    assert text.count("data:image/svg+xml") >= 2


def test_every_time_links_to_its_trial_and_every_trial_names_its_record() -> None:
    trials = results()
    text = page(trials)
    for identity in trials["identity"]:
        assert f'href="#{identity}"' in text
        assert f'id="{identity}"' in text
    assert "&lt;trial&gt;" in text


def test_a_screening_says_so_and_shows_no_ranks() -> None:
    trials = frame({("muon", "mlp"): [10.0], ("adamw", "mlp"): [15.0]})
    text = page(trials)
    assert "This is a screening" in text
    assert ">ranks<" not in text


def test_a_screening_states_how_often_it_ranks_wrongly() -> None:
    trials = frame({("muon", "mlp"): [10.0], ("adamw", "mlp"): [15.0]})
    assert "a pair that differs by 20% wrongly in 33% of cases" in page(trials)


def test_ports_of_one_method_are_shown_with_what_their_seconds_come_from() -> None:
    torch = frame({("adamw", "mlp"): [10.0, 11.0, 9.0]})
    jax = frame({("adamw", "mlp"): [10.5, 10.8, 9.1]}, framework="jax")
    trials = pd.concat([torch, jax.assign(identity=jax["identity"] + "j")], ignore_index=True)
    board = score_results(trials, allowed_rules=["mixed-frameworks"])
    text = render_page(board, None, trials, curves(trials), Path("/results"))
    assert "two ports of adamw whose steps differ within noise" in text


def test_results_without_curves_still_make_a_page() -> None:
    trials = results()
    board = score_results(trials)
    text = render_page(board, None, trials, curves(trials).iloc[:0], Path("/results"))
    assert "Performance profile" in text


def test_a_page_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot write"):
        write_page("x", tmp_path / "file" / "report.html")


def test_numbers_and_ranks_are_short() -> None:
    assert [number(v) for v in (12.3456, 45678.9, np.inf, np.nan)] == [
        "12.35", "45,679", "not reached", "-",
    ]  # fmt: skip
    assert rank_text(np.array([0.7, 0.27, 0.03])) == "1: 70%, 2: 27%"


@pytest.mark.parametrize(("most", "is_drawn_as"), [(4, "lines"), (3, "collections")])
def test_every_curve_is_drawn_however_many_there_are(
    most: int, is_drawn_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "AS_SHAPES", most)
    trials = trial_table(prepare(results()))
    figure = curves_figure(trials, curves(results()), "mlp", pens(["adamw", "muon"]))
    (axes,) = figure.axes
    curved = [line for line in axes.lines if len(np.asarray(line.get_xdata())) == 20]
    drawn = {"lines": len(curved), "collections": 0}
    for lines in axes.collections:
        assert isinstance(lines, LineCollection)
        drawn["collections"] += len(lines.get_segments())
    assert drawn == {"lines": 0, "collections": 0} | {is_drawn_as: len(trials)}
    assert ("data:image/png" in b64decode(data_uri(figure).partition(",")[2]).decode()) == (
        is_drawn_as == "collections"
    )
    assert axes.get_legend_handles_labels()[1] == ["adamw", "muon"]
