"""Made-up material for sites: boards of any size, with curves and details."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from harness.core.canonical import sha256_text
from scoring.rules import load_rules
from scoring.site.boards import Options
from scoring.site.material import EntryDetail, Material, TrialDetail
from scoring.site.write import write_site

from .made_frames import curves, row

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def results(
    names: list[str], *, workloads: int = 4, studies: int = 3, trials: int = 3
) -> pd.DataFrame:
    """Trials of entries that differ by 5 % a place, with 8 % noise; each ninth one misses."""
    random, rows = np.random.default_rng(0), []
    for place, name in enumerate(names):
        for w in range(workloads):
            for study in range(1, studies + 1):
                for trial in range(1, trials + 1):
                    noise = np.exp(0.08 * random.standard_normal() + 0.15 * (trial - 1))
                    time_s = 10.0 * 1.05 ** min(place, 25) * noise
                    missed = (place + w + trial) % 9 == 0
                    rows.append(
                        row(
                            name, f"w{w}", study, np.inf if missed else float(time_s), trial=trial,
                            point={"learning_rate": float(0.01 * random.random())},
                        )
                    )  # fmt: skip
    return pd.DataFrame(rows)


def material(frame: pd.DataFrame) -> Material:
    """All that a site shows of some results."""
    families = ("adaptive", "second order", "sign")
    hashes = frame["content_hash"].unique()
    return Material(
        frame,
        curves(frame),
        trials={i: TrialDetail({"Off the clock": {"warm-up (s)": "1"}}) for i in frame["identity"]},
        entries={h: EntryDetail("A method", families[n % 3]) for n, h in enumerate(hashes)},
        machines={"box-1": "2 cores of a processor, 8 GiB"},
    )


def ports() -> Material:
    """adamw in torch, and in jax by the same steps, each of which costs half as much again."""
    torch = results(["adamw", "muon"], workloads=2)
    jax = torch[torch["submission"] == "adamw"].assign(framework="jax")
    jax["identity"] = jax["identity"].map(sha256_text)
    for column in ("time_to_target_s", "last_miss_s", "hit_s", "timed_s"):
        jax[column] *= 1.5
    return material(pd.concat([torch, jax], ignore_index=True))


def site(
    folder: Path,
    of: Material,
    *,
    reference: str = "adamw",
    date: str = "2026-01-02",
    allow: tuple[str, ...] = (),
) -> Path:
    """Write a site; the folder of its first board."""
    options = Options(load_rules(), reference, allow, draws=200)
    write_site(of, options, folder, date=date, version="0")
    boards = sorted(path.parent for path in folder.glob("*/index.html"))
    return boards[0] if boards else folder
