"""The pages of a site as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from scoring.draws import METHODS
from scoring.report.misses import nothing_reached
from scoring.report.tables import DESCRIPTIVE, SCREENING, number
from scoring.site.boards import Board, View, scored_columns
from scoring.site.material import Gap, Material
from scoring.site.rows import Row, Times, board_rows, trial_rows
from scoring.tuning import sensitivity
from scoring.uncertainty import LEVEL

RIVALS = 12
"""At most as many other entries are linked for a comparison from a submission's page."""
RANKS = (
    "Rank: one plus the number of entries settled to be faster, as harness compare settles a pair "
    "(95 % of the draws, whatever the bounds). No entry of rank 1 is settled to be slower than any "
    "other. Within a rank the order is that of the score, and says nothing."
)


def make_environment() -> Environment:
    """Templates that escape all they are given and refuse what they are not."""
    environment = Environment(
        loader=PackageLoader("scoring.site", "templates"), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = number
    return environment


@dataclass(frozen=True, eq=False)
class Pages:
    """Renders the pages of one board."""

    board: Board
    material: Material
    date: str
    version: str
    environment: Environment = field(default_factory=make_environment)

    def render(self, template: str, root: str, **values: Any) -> str:
        """One page; `root` leads from it to the site's folder."""
        common = {"root": root, "date": self.date, "version": self.version}
        page = self.environment.get_template(template)
        return page.render(**common, title=self.board.title, **values)

    @cached_property
    def times(self) -> Times:
        """Times for its tables."""
        return Times(self.board)

    @cached_property
    def counted(self) -> frozenset[str]:
        """The trials that stand for their studies."""
        return self.board.counted

    @cached_property
    def by_entry(self) -> dict[str, pd.DataFrame]:
        """The trials of each entry."""
        return {str(name): part for name, part in self.board.frame.groupby("entry")}

    def front(self, tables: list[str], dated: list[str], *, is_dated: bool = False) -> str:
        """The board's page, as it is now or as it stays under a date."""
        links = "../../" if is_dated else ""
        board, view = self.board, self.board.views.get("seconds")
        return self.render(
            "board.html",
            "../../../" if is_dated else "../",
            links=links, is_dated=is_dated, dated=dated, tables=tables,
            facts=head_facts(board, self.material, self.date, self.version),
            gaps=[*self.material.gaps, *board.gaps], refusal=board.refusal,
            flags=() if view is None else view.board.flags,
            misses=nothing_reached(board.frame).splitlines(),
            rows=[] if view is None else board_rows(board, view, links),
            heads=[] if view is None else _heads(view), clocks=list(board.views),
            caption=_caption(view), said="" if view is None else _said(view),
            notes=[] if view is None else _notes(view), workloads=self._workload_lines(links),
            progress=self._progress(links) if view is None else [], columns=board.columns,
            pair_page=len(board.entries) > 1,
        )  # fmt: skip

    def _workload_lines(self, links: str) -> list[Row]:
        lines = []
        for column, part in self.board.frame.groupby("column"):
            first = part.iloc[0]
            sign = "at least" if first["direction"] == "maximize" else "at most"
            reached = part[part["state"] == "reached"]
            fastest = reached.sort_values("time_to_target_s").head(1).to_dict("records")
            lines.append(
                {
                    "column": column, "href": links + self.board.layout.workload(str(column)),
                    "target": f"{first['metric']} {sign} {first['target']:g}",
                    "budget": number(float(first["budget_s"])), "trials": len(part),
                    "reached": len(reached),
                    "best": ", ".join(
                        f"{trial['entry']}, {number(float(trial['time_to_target_s']))} s"
                        for trial in fastest
                    )
                    or "-",
                }
            )  # fmt: skip
        return lines

    def _progress(self, links: str) -> list[Row]:
        """What each entry has, where nothing is scored."""
        lines = []
        for name in self.board.entries:
            of = self.by_entry[name].groupby("column")["state"]
            cells = {
                str(column): f"{int(states.ne('unfinished').sum())} of {len(states)} ended, "
                f"{int(states.eq('reached').sum())} reached"
                for column, states in of
            }
            texts = [cells.get(column, "-") for column in self.board.columns]
            href = links + self.board.layout.submission(name)
            lines.append({"name": name, "href": href, "cells": texts})
        return lines

    def submission(self, entry: str) -> str:
        """An entry's page."""
        board, trials = self.board, self.by_entry[entry]
        detail = self.material.entries.get(str(trials.iloc[0]["content_hash"]))
        rows = [(column, self.times.row(entry, column)) for column in board.columns]
        columns = [column for column in board.columns if trials["column"].eq(column).any()]
        lines = trial_rows(board, trials, self.counted, "../")
        ended = trials[trials["state"] != "unfinished"]
        return self.render(
            "submission.html", "../../", name=entry, slug=board.layout.entries[entry],
            summary=detail.summary if detail else "", files=detail.files if detail else {},
            facts=self._entry_facts(entry, trials), gaps=_entry_gaps(trials, detail is not None),
            rivals=self._rivals(entry), columns=columns,
            column_slugs=[board.layout.columns[column] for column in columns],
            times=[row | {"href": board.layout.workload(c)} for c, row in rows if row],
            numbers=self._medians(trials, columns),
            sensitivity=sensitivity(ended).to_dict("records") if len(ended) else [],
            failures=[r for r in lines if r["state"] not in ("reached", "budget", "unfinished")],
            trials=lines,
        )  # fmt: skip

    def _entry_facts(self, entry: str, trials: pd.DataFrame) -> dict[str, str]:
        first, view = trials.iloc[0], self.board.views.get("seconds")
        detail = self.material.entries.get(str(first["content_hash"]))
        facts = {"Family": detail.family} if detail and detail.family else {}
        facts |= {"Framework": str(first["framework"]), "Content": str(first["content_hash"])[:16]}
        if view is not None:
            contents = view.board.contents.get(entry, 1)
            row = view.board.times.submissions.index(entry)
            facts["Contents tried"] = str(contents)
            facts["Score"] = f"{view.board.scores[row]:.4f}"
            if view.ranking is not None:
                same = int((view.ranking.ranks == view.ranking.ranks[row]).sum())
                facts["Rank"] = f"{view.ranking.ranks[row]} ({same} entries share it)"
        reached = int(trials["state"].eq("reached").sum())
        facts["Trials"] = f"{len(trials)}, of which {reached} reached"
        facts["Searched"] = str(first["space"]) or "nothing"
        content = str(first["content_hash"])
        return facts | {"Mark": self.material.marks.get(content, "self-reported")}

    def _rivals(self, entry: str) -> list[Row]:
        view = self.board.views.get("seconds")
        if view is None:
            return []
        names = [view.board.times.submissions[row] for row in view.order()]
        at = names.index(entry)
        near = sorted(range(len(names)), key=lambda place: abs(place - at))[1 : RIVALS + 1]
        return [
            {"name": names[place], "href": self.board.layout.pair(entry, names[place])}
            for place in sorted(near)
        ]

    def _medians(self, trials: pd.DataFrame, columns: list[str]) -> dict[str, list[str]]:
        """The medians of the trials' numbers, by what they are and by workload."""
        details = self.material.trials
        cells: dict[str, list[str]] = {}
        by_column = {c: trials.loc[trials["column"] == c, "identity"] for c in columns}
        found = {c: [details[i].numbers for i in of if i in details] for c, of in by_column.items()}
        for what in dict.fromkeys(k for of in found.values() for numbers in of for k in numbers):
            values = [[n[what] for n in found[c] if what in n] for c in columns]
            cells[what] = [number(float(np.median(v)), 3) if v else "-" for v in values]
        return cells

    def workload(self, column: str) -> str:
        """A workload's page."""
        board = self.board
        first = board.frame[board.frame["column"] == column].iloc[0]
        detail = self.material.workloads.get(f"{board.suite}/{first['workload']}")
        places = {name: i for i, name in enumerate(board.entries)}
        rows = [row for name in board.entries if (row := self.times.row(name, column))]
        rows.sort(key=lambda row: (not np.isfinite(row["sort"]), row["sort"]))
        sign = "at least" if first["direction"] == "maximize" else "at most"
        facts = {
            "Target": f"{first['metric']} {sign} {first['target']:g}",
            "Budget": f"{number(float(first['budget_s']))} s",
            "Content": str(first["workload_hash"])[:16],
        }
        return self.render(
            "workload.html", "../../", column=column, slug=board.layout.columns[column],
            summary=detail.summary if detail else "", definition=detail.facts if detail else {},
            samples=detail.samples if detail else (),
            facts=facts | _noise(board, column), gaps=[], rows=[
                row | {"i": places[row["name"]], "href": board.layout.submission(row["name"])}
                for row in rows
            ],
        )  # fmt: skip

    def shell(self, page: str, heading: str) -> str:
        """A page that takes what it shows from its address: `pair` or `trial`."""
        return self.render("shell.html", "../", page=page, heading=heading)


def head_facts(board: Board, material: Material, date: str, version: str) -> Mapping[str, str]:
    """What all of a board's trials have in common, at its head."""
    frame = board.frame
    hardware = [material.machines.get(name, name) for name in _values(frame, "hardware")]
    budgets = frame.groupby("column")["budget_s"].max()
    rounds = [name[:12] for name in _values(frame, "round")]
    per_study = frame.groupby(["entry", "column", "study"]).size()
    studies = frame["study"].nunique()
    trials = str(per_study.max()) if per_study.nunique() == 1 else (
        f"{per_study.min()} to {per_study.max()}"
    )  # fmt: skip
    return {
        "Date": date, "Harness": version,
        "Hardware": "; ".join(hardware) or "not published",
        "Versions": "; ".join(_values(frame, "versions")) or "not published",
        "Budget, s": ", ".join(f"{name} {number(float(b))}" for name, b in budgets.items()),
        "Tuning": f"{board.ruleset}, {studies} studies of {trials} trials",
        "Round": ", ".join(rounds) or "none",
        "Origin": ", ".join(_values(frame, "origin")) or "unknown",
        "Sandbox, threads": ", ".join(_values(frame, "sandbox") + _values(frame, "threads")) or "-",
        "Entries": str(len(board.entries)), "Trials": f"{len(frame):,}",
    }  # fmt: skip


def _values(frame: pd.DataFrame, column: str) -> list[str]:
    return sorted({str(value) for value in frame[column].unique()} - {""})


def _noise(board: Board, column: str) -> dict[str, str]:
    """The noise of study times on a workload: the median over entries of their deviation."""
    view = board.views.get("seconds")
    if view is None or column not in view.board.times.workloads:
        return {}
    hits = view.board.times.hit[:, view.board.times.workloads.index(column)]
    whole = hits[(np.isfinite(hits)).sum(axis=1) >= 2]
    logs = [np.log(row[np.isfinite(row)]).std(ddof=1) for row in whole]
    return {"Noise of a study's time": f"{float(np.median(logs)):.0%}"} if logs else {}


def _entry_gaps(trials: pd.DataFrame, has_detail: bool) -> list[Gap]:
    gaps = []
    if unfinished := int(trials["state"].eq("unfinished").sum()):
        gaps.append(Gap("trials", f"{unfinished} of {len(trials)} have not ended"))
    if not has_detail:
        gaps.append(Gap("summary, family and code", "the records do not come with them"))
    return gaps


def _heads(view: View) -> list[Row]:
    heads = [
        {"text": "rank", "key": "rank", "n": True, "sort": "ascending", "title": RANKS},
        {"text": "submission", "key": "name", "n": False, "sort": "", "title": "By name"},
        {"text": "score", "key": "score", "n": True, "sort": "", "title": "Score and interval"},
        {
            "text": "speed-up",
            "key": "speedup",
            "n": True,
            "sort": "",
            "title": "Over all workloads",
        },
    ]
    what = f"speed-up over {view.against}"
    columns = enumerate(scored_columns(view.board))
    return heads + [
        {"text": name, "key": f"w{at}", "n": True, "sort": "", "title": f"{name}: {what}"}
        for at, name in columns
    ]


def _caption(view: View | None) -> str:
    if view is None:
        return ""
    return (
        f"Score, and speed-up over {view.against}, with {LEVEL:.0%} intervals from two studies on. "
        "By workload the speed-up, blue where faster and orange where slower; marks >= and <= are "
        "bounds, ~ both, ? neither reached."
    )


def _said(view: View) -> str:
    return f"Clock: {view.board.clock.name}, {view.board.clock.said_by}."


def _notes(view: View) -> list[str]:
    if view.sure is None:
        return [f"This is a {SCREENING}."]
    return [RANKS, f"Intervals: {LEVEL:.0%}, by {METHODS[view.sure.method]}. {DESCRIPTIVE}"]
