"""Write `docs/PROBES.md` from the verdicts of a run of `harness probe`.

`make probes` runs the probes and then `python docs/probes.py RESULTS`, which takes verdicts and heat
map over into `docs/probes/`; without an argument the page is written anew from what lies there.
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
HEAD = """\
# Failure probes

<!-- Written by `make probes` from docs/probes/verdicts.csv. -->

    harness probe
    harness probe adamw
    harness probe muon torch.optim:SGD --jobs 2

A probe is a small problem with one thing wrong. `harness probe` without a name lists them; with names it tries each submission on all
of them, and says what breaks it. A probe is a screening of *how* a method fails, not of how fast it is: its verdict counts steps, so it is the same
on every machine, and it is not scored.

- Each probe is a [workload](WORKLOADS.md) of the suite `probes`: planned, confined, refereed, recorded and verified as any other. It has 600
  steps, its own target, and one file, `workloads/probes/NAME/workload.toml`.
- Points come from the submission's own search space, at most three a probe; the first that reaches the target ends the search. `--set`
  and `--space` change what is searched, `harness run --workload saddle --submission adamw` runs one probe as any workload.
- `pass`: a point reached the target. `fail`: all spent the budget, or diverged, without it. `diverged`: all ended in numbers that are not
  finite. `crashed`: all raised an error, hung, or ran out of memory.
- Every probe has a control in `tests/probes/test_controls.py`: a simple method that passes it, and another that does not.
  `undisturbed` has nothing wrong: what fails there fails for a reason of its own, such as rates that do not suit a problem of
  this size, and its other verdicts say little.
- Re-running skips finished trials. The output folder, `runs/probes` unless `--out` says otherwise, gets `verdicts.csv`, `table.md`, `figure.pdf`,
  `.svg` and `.png`, and the records in `records/`.

Most probes are linear: predictions W x of a teacher's targets, with W a single hidden matrix of 16 by 64. The optimum is then
known, and what goes wrong is in the inputs, in the targets, or in when they come. The others are chains of up to seven layers.
A single failure is thus seen alone; real training has several at once, and a network forgives some of them. A verdict near the target may
differ from seed to seed: three points are few.

The idea is that of [unit tests for stochastic optimization](REFERENCES.md#schaul2014unit), taken to whole training algorithms
and a referee. The kinds of failure follow that work and [LightBench](REFERENCES.md#nestler2025lightbench); rare classes
[Kunstner et al.](REFERENCES.md#kunstner2024heavy), heavy tails [Zhang et al.](REFERENCES.md#zhang2020why), the contrary majority
[Reddi et al.](REFERENCES.md#reddi2018convergence), inputs that are not centred [LeCun et al.](REFERENCES.md#lecun1998efficient) The problems
are our own.

## What breaks what
"""


def take_over(results: Path) -> None:
    """Copy the verdicts, with today's date, and the heat map of a run."""
    outcomes = pd.read_csv(results / "verdicts.csv", keep_default_na=False)
    today = datetime.now(UTC).date().isoformat()
    outcomes[[*Outcome.model_fields]].assign(measured=today).to_csv(VERDICTS, index=False)
    shutil.copyfile(results / FIGURE, FOLDER / FIGURE)


def page() -> str:
    """The whole page."""
    outcomes = pd.read_csv(VERDICTS, keep_default_na=False)
    count, measured = outcomes["submission"].nunique(), outcomes["measured"].max()
    probes = outcomes["probe"].nunique()
    lines = [
        HEAD.rstrip(),
        "",
        f"{count} submissions on {probes} probes, at most three points each, {measured}:",
        "",
        f"![Verdicts of {count} submissions on {probes} probes](probes/{FIGURE})",
        "",
        table_text(outcomes),
    ]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    for folder in sys.argv[1:2]:
        take_over(Path(folder))
    PAGE.write_text(page())
