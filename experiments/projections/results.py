"""Run a projection experiment and write its tables, figure and findings."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from experiments.projection_spec import ImageSet, ProjectionExperiment
from experiments.projections.figure import projection_figure
from experiments.projections.measure import METHODS, distances, errors, load_images
from experiments.results import write_figure
from harness.core.files import write_whole

TOLERANCE = 0.1
"""The relative deviation up to which a measured error counts as equal to the thesis's."""


def run_projection(
    experiment: ProjectionExperiment, image_set: ImageSet, folder: Path, data_dir: Path | None
) -> str:
    """Measure, and write `errors.csv`, `distances.csv`, `figure.*` and `findings.md`; returns the
    verdict.

    Args:
        experiment: the parsed file: image sets, dimensions, and the error that the thesis states.
        image_set: the images of the form.
        folder: gets the files.
        data_dir: folder of CIFAR-10; None for the default location.

    Raises:
        HarnessError: the images are missing, or a file cannot be written.
    """
    images = load_images(image_set, data_dir)
    table, spread = errors(images, experiment.dimensions), distances(images, experiment.dimensions)
    write_whole(folder / "errors.csv", table.to_csv(index=False))
    write_whole(folder / "distances.csv", spread.to_csv(index=False))
    write_figure(folder, projection_figure(experiment, images, table, spread))
    verdict = verdict_of(experiment, table)
    write_whole(folder / "findings.md", _page(experiment, image_set, table, spread, verdict))
    return verdict


def verdict_of(experiment: ProjectionExperiment, table: pd.DataFrame) -> str:
    """Whether a random projection has the error that the thesis states, and which method has."""
    at_shown = table[table["dimension"] == experiment.shown].set_index("method")["error"]
    claim = experiment.stated_error
    same = [m for m in METHODS if abs(at_shown[m] / claim - 1.0) <= TOLERANCE]
    verdict = "held" if set(same) & {"raw", "mean removed"} else "did not hold"
    errors = ", ".join(f"{at_shown[method]:.3g} {method}" for method in METHODS)
    return (
        f"**{verdict}**: a reconstruction error of {claim:g} at {experiment.shown} dimensions "
        f"(measured: {errors})"
    )


def _page(
    experiment: ProjectionExperiment,
    image_set: ImageSet,
    table: pd.DataFrame,
    spread: pd.DataFrame,
    verdict: str,
) -> str:
    wide = table.pivot(index="dimension", columns="method", values="error")[list(METHODS)]
    cells = wide.loc[list(experiment.dimensions)].to_numpy(dtype=float)
    spans = spread[["low", "high"]].to_numpy(dtype=float)
    rows = [
        f"| {dimension} | {' | '.join(f'{each:.3g}' for each in own)} | {low:.3f} to {high:.3f} |"
        for dimension, own, (low, high) in zip(experiment.dimensions, cells, spans, strict=True)
    ]
    lines = [
        f"# {experiment.title}",
        "",
        f"Experiment `projection`; the thesis: {experiment.source}.",
        "",
        experiment.question,
        "",
        f"Source `{image_set.source}`: {image_set.train} training and "
        f"{image_set.held_out} held-out images.",
        "",
        experiment.notes.strip(),
        "",
        f"![{experiment.title}](figure.svg)",
        "",
        "| dimensions | " + " | ".join(METHODS) + " | 95 % of distances |",
        "|---|" + "---|" * (len(METHODS) + 1),
        *rows,
        "",
        "## The thesis's claim",
        "",
        f"- {verdict}",
    ]
    return "\n".join(lines) + "\n"
