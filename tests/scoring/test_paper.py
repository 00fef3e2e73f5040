from pathlib import Path

import pandas as pd
import pytest

from harness.core.errors import HarnessError
from scoring.evaluate import score_results
from scoring.frame import prepare
from scoring.report.paper import KINDS, WIDTHS, Drawing, encode, paper_figures
from scoring.report.style import pens
from scoring.uncertainty import assess

from .made_frames import curves, frame
from .made_sites import HOSTILE, results


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    trials = prepare(results(["adamw", "muon", "soap_$x"], workloads=3, studies=2))
    board = score_results(trials)
    measured_curves = curves(trials)
    probes = measured_curves.assign(split="probe", metric="gradient_norm")
    all_curves = pd.concat([measured_curves, probes], ignore_index=True)
    return Drawing(board, assess(board, "adamw", 200), trials, all_curves, WIDTHS["column"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_in_every_format(kind: str, drawing: Drawing) -> None:
    figures = paper_figures(kind, drawing)
    heads = {"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}
    figure = next(iter(figures.values()))
    assert all(encode(figure, name).startswith(head) for name, head in heads.items())
    assert figure.get_size_inches()[0] == WIDTHS["column"][0]


def test_there_is_a_figure_for_each_workload(drawing: Drawing) -> None:
    assert list(paper_figures("curves", drawing)) == ["curves-w0", "curves-w1", "curves-w2"]
    assert next(iter(paper_figures("diagnostics", drawing))) == "diagnostics-w0"


def test_the_same_figure_makes_the_same_bytes(drawing: Drawing) -> None:
    first, second = (paper_figures("profile", drawing)["profile"] for _ in range(2))
    assert encode(first, "pdf") == encode(second, "pdf")


def test_a_submission_has_one_pen_and_no_two_of_fifty_have_the_same() -> None:
    names = [f"entry_{place:02}" for place in range(49)] + [HOSTILE]
    drawn = pens(names)
    assert drawn == pens(list(reversed(names)))
    assert len({(pen.hex, pen.dash) for pen in drawn.values()}) == 50


def test_records_without_what_a_figure_needs_say_so(tmp_path: Path) -> None:
    board = score_results(frame({("a", "w"): [10.0], ("b", "w"): [12.0]}))
    none = Drawing(board, None, prepare(frame({("a", "w"): [10.0]})), pd.DataFrame(), (3, 2))
    with pytest.raises(HarnessError, match="nothing to draw for 'ranks'"):
        paper_figures("ranks", none)
    with pytest.raises(HarnessError, match="several studies and the reference"):
        paper_figures("speedup", none)
