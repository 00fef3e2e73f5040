"""`harness site`: static pages for folders of records, bundles and boards."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.say import say
from harness.cli.score import Allow, Reference, Resamples, RulesName


def site(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="STORE|BUNDLE|BOARD ...",
            help="Folders of records, archives of `harness bundle`, or a board's folder.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="The folder of the pages.")] = Path("site"),
    rules: RulesName = "guided-descent",
    reference: Reference = "adamw",
    resamples: Resamples = 2000,
    allow: Allow = None,
) -> None:
    """Write a board for each suite and ruleset, with pages for everything it was computed from.

    The pages work without a server and load nothing from elsewhere.
    """
    from harness.cli.site_sources import read_sources
    from scoring.refusals import check_allowed
    from scoring.rules import load_rules
    from scoring.site.boards import Options
    from scoring.site.write import write_site

    check_allowed(allow or ())
    with ExitStack() as stack:
        site_sources = read_sources(sources, stack)
        options = Options(
            load_rules(rules), reference, (*(allow or ()), *site_sources.allow), draws=resamples
        )
        index = write_site(site_sources.material, options, out, date=_today(), version=_version())
    for gap in site_sources.material.gaps:
        say(f"missing: {gap.place}: {gap.why}", err=True)
    say(f"site: {index.resolve()}")


def _today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()


def _version() -> str:
    from importlib.metadata import version

    return version("guided-descent")
