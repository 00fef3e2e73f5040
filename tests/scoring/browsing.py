"""A reader of a site in Debian's chromium, from a file: what a page says, complains of and asks."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def chromium() -> Iterator[Browser]:
    """The browser, or a skip that says what is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


class Reader:
    """One page in the browser, and whatever it complained of or asked for."""

    def __init__(self, page: Page, board: Path) -> None:
        self.page, self.board = page, board
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self._hear("error", str(error)))
        page.on("dialog", lambda dialog: self._hear("error", f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def open(self, name: str) -> None:
        self.page.goto(f"file://{self.board}/{name}")

    def names(self) -> list[str]:
        """The entries that the board shows, from top to bottom."""
        rows: list[str] = self.page.locator("#board tbody tr th").all_text_contents()
        return rows

    def number(self, place: int) -> float:
        """What a cell of the board's first row shows first, once it is drawn."""
        cell = self.page.locator("#board tbody tr").first.locator("td").nth(place)
        # Not `inner_text`, which is empty until the row has been laid out.
        text = cell.filter(has_text=re.compile(r"\d")).text_content()
        assert text is not None
        return float(text.split()[0].replace(",", ""))


@contextmanager
def reading(browser: Browser, board: Path) -> Iterator[Reader]:
    """A reader of a board, whose pages complain of nothing and ask nothing of elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    reader = Reader(context.new_page(), board)
    yield reader
    context.close()
    assert reader.complaints == []
    assert all(url.startswith(("file:", "data:")) for url in reader.requests)
