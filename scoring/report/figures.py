"""Report figures: learning curves and performance profiles, and how a page holds a figure."""

from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure

from harness.core.text import label
from scoring.profile import profile
from scoring.report.style import INK, STYLE, Pens, pens
from scoring.scoreboard import Scoreboard

SIZE = (6.4, 3.9)
"""A figure's width and height on a page, in inches."""


def data_uri(figure: Figure) -> str:
    """Encode a figure as a data URI."""
    buffer = io.BytesIO()
    with style.context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def curves_figure(
    frame: pd.DataFrame,
    curves: pd.DataFrame,
    workload: str,
    drawn: Pens,
    size: tuple[float, float] = SIZE,
) -> Figure:
    """Validation metric against time for every trial on one workload, with the target.

    The best trial of each study is drawn solid, the others faint; a dot marks the hit. `frame`
    has the workload's trials with a column `counts` (`trial_table`).
    """
    with style.context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        named: set[str] = set()
        first = frame.iloc[0]
        evaluations = curves[
            (curves["split"] == "validation") & (curves["metric"] == first["metric"])
        ]
        by_trial = dict(list(evaluations.groupby("identity")))
        for trial in frame.to_dict("records"):
            entry = trial["entry"]
            curve = by_trial.get(trial["identity"])
            if curve is None:
                continue
            counts = bool(trial["counts"])
            shown = label(entry) if counts and entry not in named else None
            named |= {entry} if counts else set()
            line = curve.sort_values("time_s")
            axes.plot(
                line["time_s"], line["value"], label=shown, **drawn[entry].line,
                linewidth=1.7 if counts else 0.9, alpha=1.0 if counts else 0.35,
            )  # fmt: skip
            if trial["state"] == "reached" and counts:
                axes.plot(
                    trial["time_to_target_s"], trial["target"], "o", color=drawn[entry].colour
                )
        axes.axhline(first["target"], color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"target {first['target']:g}", (1.0, first["target"]), xytext=(-4, 4),
            xycoords=("axes fraction", "data"), textcoords="offset points", ha="right", color=INK,
        )  # fmt: skip
        axes.set(
            xlabel="training time, s",
            ylabel=label(f"validation {first['metric']}"),
            title=label(workload),
        )
        if named:
            axes.legend(loc="best")
        return figure


def profile_figure(board: Scoreboard, size: tuple[float, float] = SIZE) -> Figure:
    """The performance profile: the fraction of workloads within a factor tau of the best."""
    taus = np.unique(np.concatenate([np.linspace(1, board.rules.tau_max, 400), _steps(board)]))
    fractions = profile(board.ratios, taus)
    with style.context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        drawn = pens(board.times.submissions)
        widths = np.linspace(3.2, 1.4, len(fractions))
        for width, row in zip(widths, board.order(), strict=True):
            name = board.times.submissions[row]
            shown = label(f"{name}  {board.scores[row]:.3f}")
            axes.step(taus, fractions[row], where="post", lw=width, label=shown, **drawn[name].line)
        axes.set(
            xlabel=f"factor of the best {board.clock.name}, \u03c4",
            ylabel="fraction of workloads",
            title="Performance profile",
            ylim=(-0.03, 1.05),
            xlim=(1, board.rules.tau_max),
        )
        axes.legend(title="score", alignment="left", loc="best", fontsize=8.5)
        return figure


def _steps(board: Scoreboard) -> np.ndarray:
    inside = board.ratios[np.isfinite(board.ratios)]
    return np.asarray(inside[inside <= board.rules.tau_max])
