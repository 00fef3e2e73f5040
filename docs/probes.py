"""Write the results in `docs/PROBES.md` from the verdicts of a run of `harness probe`.

`make probes` runs the probes and then `python docs/probes.py RESULTS`, which takes verdicts and
heat map over into `docs/probes/`; without an argument the page is written anew from what is there.
"""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from experiments.probes.results import table_text
from experiments.probes.verdicts import Outcome

DOCS = Path(__file__).parent
PAGE = DOCS / "PROBES.md"
FOLDER = DOCS / "probes"
VERDICTS = FOLDER / "verdicts.csv"
FIGURE = "figure.svg"
RESULTS = "## What breaks what\n"
"""The heading below which the page is written here."""
NOT_RUN = "Not run yet: `make probes` runs what ships and writes this section.\n"


def take_over(results: Path) -> None:
    """Copy the verdicts, with today's date, and the heat map of a run."""
    outcomes = pd.read_csv(results / "verdicts.csv", keep_default_na=False)
    today = datetime.now(UTC).date().isoformat()
    FOLDER.mkdir(exist_ok=True)
    outcomes[[*Outcome.model_fields]].assign(measured=today).to_csv(VERDICTS, index=False)
    shutil.copyfile(results / FIGURE, FOLDER / FIGURE)


def page() -> str:
    """The whole page: its prose as it is, and the results."""
    prose, _, _ = PAGE.read_text().partition(RESULTS)
    if not VERDICTS.exists():
        return f"{prose}{RESULTS}\n{NOT_RUN}"
    outcomes = pd.read_csv(VERDICTS, keep_default_na=False)
    submissions, probes = outcomes["submission"].nunique(), outcomes["probe"].nunique()
    what = f"{submissions} submissions on {probes} probes"
    return f"""{prose}{RESULTS}
{what}, at most three points each, {outcomes["measured"].max()}:

![Verdicts of {what}](probes/{FIGURE})

{table_text(outcomes)}"""


if __name__ == "__main__":
    for folder in sys.argv[1:2]:
        take_over(Path(folder))
    PAGE.write_text(page())
