"""Write `docs/ALGORITHMS.md`, the table of included algorithms, from each `space.toml`.

Run `make algorithms` after adding or changing a submission; a test fails if the page is stale.
"""

from __future__ import annotations

import tomllib
from itertools import groupby
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PAGE = DOCS / "ALGORITHMS.md"
HEAD = """\
# Algorithms

<!-- Written by `make algorithms` from submissions/*/space.toml and docs/algorithms.toml. -->

{count} algorithms ship, {in_jax} for JAX as well as for PyTorch. Each docstring states the
update, its source and every deviation. [What each algorithm is tested against](ORACLES.md) names
the references; [Writing a submission](SUBMISSIONS.md) lists what a point may add around an
optimizer: weight averages, clipping, muP and schedules.

- *State*: floats kept per parameter, beyond the parameter itself.
- *Step*: mean time of a full training step, forward and backward passes included, relative to
  `adamw`, on `mlp` at `quick` size and one CPU core. The norm-based methods, `cg_bfgs`,
  `hessian_free`, `lbfgs` and `natural_gradient` were measured on a core with bfloat16 arithmetic,
  the others on one without; `adafactor`, `adam_clip`, `adamuon`, `ademamix`, `adopt`, `amos`,
  `async_sgd`, `caspr`, `kl_shampoo`, `kl_soap`, `lamb`, `lion`, `mars`, `muown`, `newton_muon`,
  `normuon`, `paper_kfac`, `scion`, `soap_muon` and `varying_adamw` in processor time, at a batch of
  512. Methods that take several passes or larger batches per step pay for them here, so this is not
  their time to a target. `full_adagrad` and `newton` take small models alone, and so not `mlp`.
"""
COLUMNS = """\
| submission | method | frameworks | source | state | step |
|---|---|---|---|---|---|
"""
TAIL = """\
## Cost of second-order steps

At its default point, one step of `lbfgs`, `natural_gradient`, `cg_bfgs` or `hessian_free` takes as
long as 13 to 44 steps of `sgd` on `resnet`, `lm` and `rnn`. `harness run` refuses a submission on a
workload where its space declares that too few steps fit the budget; no submission here needs that.

In JAX, `lbfgs` exceeds the 60 s warm-up cap on `resnet`; such a trial ends `hung`. On `lm` and
`rnn` it stays within the cap only on an otherwise idle machine.
"""


def spaces() -> dict[str, dict[str, Any]]:
    """The `space.toml` of every included submission, by name."""
    files = sorted((DOCS.parent / "submissions").glob("*/space.toml"))
    return {file.parent.name: tomllib.loads(file.read_text()) for file in files}


def read_facts() -> dict[str, dict[str, Any]]:
    """The facts in `algorithms.toml`, by submission."""
    return tomllib.loads((DOCS / "algorithms.toml").read_text())


def page() -> str:
    """The page's text."""
    by_name, facts = spaces(), read_facts()
    in_jax = sum("jax" in space["frameworks"] for space in by_name.values())
    how_many = "all of them" if in_jax == len(by_name) else f"{in_jax} of them"
    parts = [HEAD.format(count=len(by_name), in_jax=how_many)]
    by_family = sorted(by_name, key=lambda name: (by_name[name]["family"], name))
    for family, names in groupby(by_family, key=lambda name: str(by_name[name]["family"])):
        rows = [_row(name, by_name[name], facts[name]) for name in names]
        parts.append(f"## {family[0].upper()}{family[1:]}\n\n{COLUMNS}" + "\n".join(rows) + "\n")
    return "\n".join([*parts, TAIL])


def _row(name: str, space: dict[str, Any], facts: dict[str, Any]) -> str:
    sources = ", ".join(f"[{key}](REFERENCES.md#{key})" for key in facts["sources"])
    state = f"{'up to ' * facts.get('state_is_most', False)}{_number(facts['state'])}"
    frameworks = ", ".join(space["frameworks"])
    step = _number(facts["step_time"]) if "step_time" in facts else "-"
    cells = (f"`{name}`", space["summary"], frameworks, sources, state, step)
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


if __name__ == "__main__":
    PAGE.write_text(page())
