"""`harness bundle`: a folder of records as one archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.say import quote, say


def bundle(
    store: Annotated[Path, typer.Argument(help="A folder of records, as `harness run` wrote it.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="The archive.", show_default="STORE.tar.gz")
    ] = None,
) -> None:
    """Pack records, ledger and the code of the entries, with checksums.

    `harness verify` and `harness site` take the archive in place of a folder, on any machine.
    """
    from importlib.metadata import version

    from harness.cli.bundles import write_bundle
    from harness.core.files import path_beside

    to = out or path_beside(store, ".tar.gz")
    name = write_bundle(store, to, version("guided-descent"))
    say(f"bundle {name[:12]}: {to}")
    say(f"check it anywhere: {quote('harness', 'verify', to)}")
