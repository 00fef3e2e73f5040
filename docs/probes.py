"""Write the results in `docs/PROBES.md` from the verdicts of runs of `harness probe`.

`make probes` runs the probes and then `python docs/probes.py RESULTS`, which takes the verdicts of
its submissions over into `docs/probes/`, where those of all others stay; without an argument the
page is written anew from what is there.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from experiments.probes.figure import PAGE_SIZE, probes_figure
from experiments.probes.results import table_text
from experiments.probes.run import probe_names
from experiments.probes.verdicts import Outcome
from scoring.report.paper import encode

DOCS = Path(__file__).parent
PAGE = DOCS / "PROBES.md"
FOLDER = DOCS / "probes"
FIELDS = list(Outcome.model_fields)
FIGURE = "figure.svg"
RESULTS = "## What breaks what\n"
"""The heading below which the page is written here."""
NOT_RUN = "Not run yet: `make probes` runs what ships and writes this section.\n"


def take_over(results: Path, folder: Path, today: str) -> None:
    """Take over the verdicts of a run, with its date, and draw the heat map of all that are there.

    Args:
        results: the folder of `harness probe`; one without verdicts changes nothing.
        folder: what is kept of all runs. Submissions without a verdict on each of today's probes
            are left out.
        today: the date of verdicts that are new or have changed.
    """
    if not (results / "verdicts.csv").exists():
        return
    file = folder / "verdicts.csv"
    new = whole(read_verdicts(results / "verdicts.csv"))
    old = whole(read_verdicts(file)) if file.exists() else new.iloc[:0].assign(measured="")
    rows = new[FIELDS].merge(old, on=FIELDS, how="left")
    others = old[~old["submission"].isin(new["submission"])]
    both = pd.concat([others, rows.assign(measured=rows["measured"].fillna(today))])
    if both.empty:
        return
    folder.mkdir(exist_ok=True)
    both = both.sort_values("submission", kind="stable")
    both.to_csv(file, index=False)
    (folder / FIGURE).write_bytes(encode(probes_figure(both, PAGE_SIZE), "svg"))


def whole(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Those of submissions that have one on each of today's probes."""
    probes_by_submission = verdicts.groupby("submission")["probe"].agg(set)
    has_all = [
        name for name, probes in probes_by_submission.items() if probes == set(probe_names())
    ]
    return verdicts[verdicts["submission"].isin(has_all)]


def read_verdicts(path: Path) -> pd.DataFrame:
    """The verdicts of a file, each cell as it is written there."""
    return pd.read_csv(path, keep_default_na=False, dtype=str)


def page(folder: Path = FOLDER) -> str:
    """The whole page: its prose as it is, and the results."""
    prose, _, _ = PAGE.read_text().partition(RESULTS)
    file = folder / "verdicts.csv"
    outcomes = read_verdicts(file) if file.exists() else pd.DataFrame()
    if outcomes.empty:
        return f"{prose}{RESULTS}\n{NOT_RUN}"
    first, last = outcomes["measured"].min(), outcomes["measured"].max()
    submissions, probes = outcomes["submission"].nunique(), outcomes["probe"].nunique()
    what = f"{submissions} submissions on {probes} probes"
    return f"""{prose}{RESULTS}
{what}, at most three points each, {first if first == last else f"{first} to {last}"}:

![Verdicts of {what}](probes/{FIGURE})

{table_text(outcomes)}"""


if __name__ == "__main__":
    for results in sys.argv[1:2]:
        take_over(Path(results), FOLDER, datetime.now(UTC).date().isoformat())
    PAGE.write_text(page())
