"""`harness board`: maintain a board: add, replace and withdraw bundles, mark entries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.board_log import ManualMark
from harness.cli.say import quote, say
from harness.cli.score import Allow
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from harness.cli.boards import BoardFolder

app = typer.Typer(help="Maintain a published board.", no_args_is_help=True)

To = Annotated[Path, typer.Option("--to", help="The board's folder.")]
Reason = Annotated[str, typer.Option(help="Why; it is shown on the board.")]
Bundle = Annotated[str, typer.Argument(help="The first digits of a bundle's name.")]


@app.callback()
def _root() -> None:
    """Maintain a published board."""


@app.command("add")
def add(
    bundle: Annotated[Path, typer.Argument(help="An archive of `harness bundle`.")],
    *,
    to: To,
    allow: Allow = None,
    supersedes: Annotated[
        str,
        typer.Option(
            help="The first digits of the name of a bundle that it replaces, which is kept and no "
            "longer shown.",
            show_default=False,
        ),
    ] = "",
    reason: Annotated[
        str, typer.Option(help="Why it replaces that one; shown on the board.", show_default=False)
    ] = "",
) -> None:
    """Verify a bundle and add it, or refuse it by the name of the rule that it breaks."""
    from harness.cli.boards import BoardFolder

    board = BoardFolder(to)
    added = board.add(bundle, tuple(allow or ()), supersedes=supersedes, reason=reason)
    if added is None:
        say(f"{bundle} is on the board already")
    else:
        say(f"added {added.bundle[:12]}: {', '.join(added.entries)}")
    if supersedes:
        say(f"superseded {supersedes[:12]}: it is kept and not shown")
    if added is None:
        return
    say(f"show it: {quote('harness', 'site', to, '--out', 'site/')}")


@app.command("withdraw")
def withdraw(bundle: Bundle, *, to: To, reason: Reason) -> None:
    """Withdraw a bundle: its entries are marked `withdrawn`, its records stay."""
    say(
        f"withdrawn {_board(to).withdraw(bundle, reason)[:12]}: it is kept, its times are not shown"
    )


@app.command("mark")
def mark(
    submission: Annotated[str, typer.Argument(help="An entry's name.")],
    as_: Annotated[
        ManualMark,
        typer.Argument(metavar="MARK", help="self-reported, verified, held or disqualified."),
    ],
    *,
    to: To,
    reason: Reason,
) -> None:
    """Mark how far an entry's times are verified; only `harness audit BOARD` marks `audited`.

    A held or disqualified entry is shown but not ranked; its records stay.
    """
    _board(to).mark(submission, as_, reason)
    say(f"marked {submission}: {as_}")


def _board(path: Path) -> BoardFolder:
    from harness.cli.boards import BoardFolder

    board = BoardFolder(path)
    if not board.is_board:
        raise HarnessError(
            f"'{path}' is not a board",
            f"begin one: {quote('harness', 'board', 'add', 'BUNDLE', '--to', path)}",
        )
    return board
