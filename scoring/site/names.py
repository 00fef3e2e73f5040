"""Paths of a board's pages and files: portable file names from names typed by users."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.core.canonical import sha256_text

LONGEST = 60


def file_names(texts: Iterable[str]) -> dict[str, str]:
    """A unique, stable file name for each text: the text itself if valid, else with a hash.

    A text's file name does not depend on the other texts, so addresses stay valid when a board
    grows.
    """
    return {text: _file_name(text) for text in texts}


def _file_name(text: str) -> str:
    plain = re.sub(r"[^a-z0-9_.-]+", "-", text).strip("-.")[:LONGEST]
    # Upper case has no name of its own on some file systems, and `con` is none on others.
    is_itself = bool(plain) and plain == text and text not in {"con", "nul", "aux", "prn", "index"}
    return text if is_itself else f"{plain or 'name'}-{sha256_text(text)[:8]}"


@dataclass(frozen=True)
class Layout:
    """The file names of a board's pages, by entry and by workload column."""

    folder: str
    entries: Mapping[str, str]
    columns: Mapping[str, str]

    def submission(self, entry: str) -> str:
        """An entry's page."""
        return f"s/{self.entries[entry]}.html"

    def workload(self, column: str) -> str:
        """A workload's page."""
        return f"w/{self.columns[column]}.html"

    def trial(self, entry: str, identity: str) -> str:
        """A trial's page."""
        return f"trial.html?e={self.entries[entry]}&t={identity[:16]}"

    def pair(self, a: str, b: str) -> str:
        """The page of two entries."""
        return f"pair.html?a={self.entries[a]}&b={self.entries[b]}"


def layout_of(suite: str, ruleset: str, entries: Iterable[str], columns: Iterable[str]) -> Layout:
    """The layout of a board."""
    folder = _file_name(f"{suite}-{ruleset}")
    return Layout(folder, file_names(entries), file_names(columns))
