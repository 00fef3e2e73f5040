"""The pages of a site as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.core.marks import MEANINGS
from scoring.frame import finished_trials
from scoring.report.misses import no_hits_text
from scoring.report.tables import (
    number,
    off_clock_text,
)
from scoring.site.boards import Board
from scoring.site.material import Material
from scoring.site.rows import (
    Row,
    Times,
    board_rows,
    point_text,
    searched_text,
    searched_values,
    trial_rows,
)
from scoring.site.words import (
    caption,
    clock_text,
    entry_gaps,
    head_facts,
    heads,
    meanings,
    noise,
    notes,
)
from scoring.standing import unranked_table
from scoring.tuning import sensitivity

RIVALS = 12
"""Maximum number of comparisons linked from a submission's page."""


def make_environment() -> Environment:
    """Templates that escape all values, and raise an error for missing ones."""
    environment = Environment(
        loader=PackageLoader("scoring.site", "templates"), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = number
    environment.globals["off_clock"] = off_clock_text
    return environment


def retired_page(title: str, date: str, version: str, dates: Sequence[str] | None = None) -> str:
    """The page of a submission or workload that an earlier site shows and this one does not.

    Args:
        title: the board's.
        date: when the site was written.
        version: the harness's version.
        dates: for the front page of a board that is gone, the dates of its states.
    """
    page = make_environment().get_template("retired.html")
    is_front = dates is not None
    return page.render(
        root="../" if is_front else "../../", date=date, version=version, title=title,
        is_front=is_front, dates=dates or (),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Pages:
    """Renders the pages of one board."""

    board: Board
    material: Material
    date: str
    version: str
    environment: Environment = field(default_factory=make_environment)

    def render(self, template: str, root: str, **values: object) -> str:
        """Render one page; `root` is the relative path to the site's folder."""
        common = {"root": root, "date": self.date, "version": self.version}
        page = self.environment.get_template(template)
        return page.render(**common, title=self.board.title, **values)

    @cached_property
    def times(self) -> Times:
        """The times for the board's tables."""
        return Times(self.board)

    @cached_property
    def counted_identities(self) -> frozenset[str]:
        """The trials that count for their studies."""
        return self.board.counted_identities

    @cached_property
    def by_entry(self) -> dict[str, pd.DataFrame]:
        """The trials of each entry with a page."""
        return {str(name): part for name, part in self.board.everything.groupby("entry")}

    def front(self, tables: list[str], dated_tables: list[str], *, is_dated: bool = False) -> str:
        """The board's page: the current one, or the permanent one of a date."""
        links = "../../" if is_dated else ""
        board, view = self.board, self.board.views.get("seconds")
        return self.render(
            "board.html",
            "../../../" if is_dated else "../",
            assets="assets/" if is_dated else "../assets/",
            links=links, is_dated=is_dated, dated=dated_tables, tables=tables,
            facts=head_facts(board, self.material, self.date, self.version),
            gaps=[*self.material.gaps, *board.gaps], refusal=board.refusal,
            flags=() if view is None else view.board.flags,
            misses=no_hits_text(board.frame).splitlines(),
            rows=[] if view is None else board_rows(board, view, links),
            heads=[] if view is None else heads(view), clocks=list(board.views),
            unranked=self._unranked_rows(links), meanings=meanings(board),
            caption=caption(view), said="" if view is None else clock_text(view),
            notes=[] if view is None else notes(view), workloads=self._workload_lines(links),
            has_ranks=view is not None and view.ranking is not None,
            progress=self._progress(links) if view is None else [], columns=board.columns,
            pair_page=len(board.entries) > 1,
        )  # fmt: skip

    def _unranked_rows(self, links: str) -> list[Row]:
        """The unranked entries with their times, and the withdrawn ones without."""
        board = self.board
        entries = (
            unranked_table(board.unranked_frame) if len(board.unranked_frame) else pd.DataFrame()
        )
        lines = [
            {str(key): value for key, value in line.items()}
            | {"href": links + board.layout.submission(str(line["submission"]))}
            for line in entries.to_dict("records")
        ]
        nothing = {"workload": "-", "time_to_target_s": np.nan, "steps_to_target": np.nan}
        nothing |= {"setup_s": np.nan, "warm_up_s": np.nan, "href": ""}
        return lines + [
            {"submission": one.submission, "mark": "withdrawn", "mark_reason": one.reason} | nothing
            for one in board.withdrawn
        ]

    def _workload_lines(self, links: str) -> list[Row]:
        lines = []
        for column, part in self.board.frame.groupby("column"):
            first = part.iloc[0]
            sign = "at least" if first["direction"] == "maximize" else "at most"
            hits = part[part["state"] == "reached"]
            fastest = hits.sort_values("time_to_target_s").head(1).to_dict("records")
            lines.append(
                {
                    "column": column, "href": links + self.board.layout.workload(str(column)),
                    "target": f"{first['metric']} {sign} {first['target']:g}",
                    "budget": number(float(first["budget_s"])), "trials": len(part),
                    "reached": len(hits),
                    "best": ", ".join(
                        f"{trial['entry']}, {number(float(trial['time_to_target_s']))} s"
                        for trial in fastest
                    )
                    or "-",
                }
            )  # fmt: skip
        return lines

    def _progress(self, links: str) -> list[Row]:
        """The number of trials of each entry, for a board without scores."""
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
        lines = trial_rows(board, trials, self.counted_identities, "../")
        finished_frame = finished_trials(trials)
        by_point = sensitivity(finished_frame).to_dict("records") if len(finished_frame) else []
        return self.render(
            "submission.html", "../../", name=entry, slug=board.layout.entries[entry],
            summary=detail.summary if detail else "", files=detail.files if detail else {},
            facts=self._entry_facts(entry, trials), gaps=entry_gaps(trials, detail is not None),
            rivals=self._rivals(entry), columns=columns,
            column_slugs=[board.layout.columns[column] for column in columns],
            times=[row | {"href": board.layout.workload(c)} for c, row in rows if row],
            numbers=self._medians(trials, columns),
            sensitivity=by_point,
            failures=[r for r in lines if r["state"] not in ("reached", "budget", "unfinished")],
            trials=lines,
        )  # fmt: skip

    def _entry_facts(self, entry: str, trials: pd.DataFrame) -> dict[str, str]:
        first, view = trials.iloc[0], self.board.views.get("seconds")
        detail = self.material.entries.get(str(first["content_hash"]))
        facts = {"Family": detail.family} if detail and detail.family else {}
        facts |= {"Framework": str(first["framework"]), "Content": str(first["content_hash"])[:16]}
        if view is not None and entry in view.board.times.submissions:
            contents = view.board.contents.get(entry, 1)
            row = view.board.times.submissions.index(entry)
            facts["Contents tried"] = str(contents)
            facts["Score"] = f"{view.board.scores[row]:.4f}"
            if view.ranking is not None:
                same = int((view.ranking.ranks == view.ranking.ranks[row]).sum())
                facts["Rank"] = f"{view.ranking.ranks[row]} ({same} entries share it)"
        hits = int(trials["state"].eq("reached").sum())
        facts["Trials"] = f"{len(trials)}, of which {hits} reached"
        facts |= _point_facts(trials)
        facts["Mark"] = f"{first['mark']}: {MEANINGS[first['mark']]}"
        return facts | ({"Why": str(first["mark_reason"])} if first["mark_reason"] else {})

    def _rivals(self, entry: str) -> list[Row]:
        view = self.board.views.get("seconds")
        if view is None or entry not in view.board.times.submissions:
            return []
        names = [view.board.times.submissions[row] for row in view.order()]
        at = names.index(entry)
        near = sorted(range(len(names)), key=lambda place: abs(place - at))[1 : RIVALS + 1]
        if view.against in names and names.index(view.against) not in [at, *near]:
            near.append(names.index(view.against))
        return [
            {"name": names[place], "href": self.board.layout.pair(entry, names[place])}
            for place in sorted(near)
        ]

    def _medians(self, trials: pd.DataFrame, columns: list[str]) -> dict[str, list[str]]:
        """The medians of the trials' numbers, by name and workload."""
        details = self.material.trials
        cells: dict[str, list[str]] = {}
        by_column = {c: trials.loc[trials["column"] == c, "identity"] for c in columns}
        numbers_of = {
            c: [details[i].numbers for i in of if i in details] for c, of in by_column.items()
        }
        for what in dict.fromkeys(
            k for of in numbers_of.values() for numbers in of for k in numbers
        ):
            values = [[n[what] for n in numbers_of[c] if what in n] for c in columns]
            cells[what] = [number(float(np.median(v)), 3) if v else "-" for v in values]
        return cells

    def workload(self, column: str) -> str:
        """A workload's page."""
        board = self.board
        first = board.everything[board.everything["column"] == column].iloc[0]
        detail = self.material.workloads.get(f"{board.suite}/{first['workload']}")
        places = {name: i for i, name in enumerate(board.entries_with_pages)}
        rows = [row for name in board.entries_with_pages if (row := self.times.row(name, column))]
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
            facts=facts | noise(board, column), gaps=[], rows=[
                row | {"i": places[row["name"]], "href": board.layout.submission(row["name"])}
                for row in rows
            ],
        )  # fmt: skip

    def shell(self, page: str, heading: str) -> str:
        """A page that takes its subject from its address: `pair` or `trial`."""
        return self.render("shell.html", "../", page=page, heading=heading)


def _point_facts(trials: pd.DataFrame) -> dict[str, str]:
    """What an entry's trials searched, and what they have in common."""
    searched, first = searched_values(trials), trials.iloc[0]
    if not searched:  # a single point, or records without points
        return {"Point": point_text(first.get("point")) or str(first["space"]) or "empty"}
    common = [name for name in first["point"] if name not in searched]
    facts = {"Searched": searched_text(searched)}
    return facts | ({"Fixed": point_text(first["point"], common)} if common else {})
