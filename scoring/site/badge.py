"""A badge of a board for other pages, and a BibTeX entry."""

from __future__ import annotations

from html import escape

from harness.core.text import displayable

GLYPH = 6.4
"""Approximate width of a character of the badge, in pixels."""


def badge_svg(left: str, right: str) -> str:
    """A badge with two texts, such as `quick, external tuning` and `1. muon, kfac`."""
    texts = [displayable(text)[:60] for text in (left, right)]
    widths = [round(len(text) * GLYPH) + 14 for text in texts]
    total, (a, b) = sum(widths), (escape(text) for text in texts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" '
        f'aria-label="{a}: {b}"><title>{a}: {b}</title>'
        f'<rect width="{total}" height="20" rx="3" fill="#0b62a4"/>'
        f'<rect width="{widths[0]}" height="20" rx="3" fill="#3b4453"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" '
        'text-anchor="middle">'
        f'<text x="{widths[0] / 2}" y="14" textLength="{widths[0] - 12}">{a}</text>'
        f'<text x="{widths[0] + widths[1] / 2}" y="14" textLength="{widths[1] - 12}">{b}</text>'
        "</g></svg>\n"
    )


def bibtex(title: str, date: str, version: str, entries: int, key: str) -> str:
    """A BibTeX entry of a board's state on a date."""
    fields = {
        "title": f"{{Guided Descent: board of {_tex(title)}}}",
        "author": "{{The Guided Descent maintainers}}",
        "year": date[:4],
        "note": f"State of {date}, {entries} entries, harness {_tex(version)}",
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{key},\n{lines}\n}}\n"


def _tex(text: str) -> str:
    """A text with TeX's special characters escaped."""
    plain = displayable(text).replace("\\", "/")
    return "".join(f"\\{c}" if c in "{}$&#_%" else " " if c in "~^" else c for c in plain)
