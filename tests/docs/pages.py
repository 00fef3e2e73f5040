"""What README and docs tell a reader to type."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
PROGRAMS = (
    "harness", "make", "pip", "python", "python3", "docker", "apptainer", "git", "pre-commit",
    ".ci/run",
)  # fmt: skip
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^    (\S.*)$", re.MULTILINE)


def fenced_blocks(page: Path, *languages: str) -> list[str]:
    """The page's fenced code blocks in these languages."""
    blocks = FENCED.findall(page.read_text())
    return [text for language, text in blocks if language in languages]


def commands() -> list[str]:
    """Whole commands, from indented and fenced code, without comments."""
    shell = [text for page in PAGES for text in fenced_blocks(page, "", "sh", "bash", "console")]
    lines = [line for text in shell for line in text.splitlines()]
    lines += [line for page in PAGES for line in INDENTED.findall(page.read_text())]
    without = {line.partition(" #")[0].strip() for line in lines}
    return sorted(line for line in without if line.split(" ")[0] in PROGRAMS)


def mentioned_commands(program: str) -> list[str]:
    """Commands in running text, where required options may be left out."""
    text = "\n".join(page.read_text() for page in PAGES)
    commands = re.findall(rf"(?<!`)`({program} [^`]+)`", text)
    return sorted({" ".join(command.split()) for command in commands})
