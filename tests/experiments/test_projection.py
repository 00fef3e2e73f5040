"""What a random projection keeps, against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.files import read_experiment
from experiments.projection_spec import ProjectionExperiment
from experiments.projections.measure import Images, distances, errors
from experiments.projections.results import verdict_of
from harness.cli.app import app

PIXELS = 192


@pytest.fixture(scope="module")
def images() -> Images:
    random = np.random.default_rng(3)
    scales = np.geomspace(1.0, 0.01, PIXELS)
    drawn = 0.5 + random.standard_normal((900, PIXELS)) * scales
    return Images(drawn[:600], drawn[600:])


def test_a_random_projection_loses_its_share_of_the_energy(images: Images) -> None:
    table = errors(images, (48,)).set_index("method")["error"]
    left = 1.0 - 48 / PIXELS
    assert table["raw"] == pytest.approx(left * np.square(images.held_out).mean(), rel=0.1)
    centred = images.held_out - images.train.mean(axis=0)
    assert table["mean removed"] == pytest.approx(left * np.square(centred).mean(), rel=0.15)


def test_principal_components_lose_the_smallest_singular_values(images: Images) -> None:
    same = Images(images.train, images.train)
    table = errors(same, (48,)).set_index("method")["error"]
    values = np.linalg.svd(same.train - same.train.mean(axis=0), compute_uv=False)
    assert table["pca"] == pytest.approx(np.square(values[48:]).sum() / same.train.size)


def test_distances_are_kept_in_the_mean_and_better_in_more_dimensions(images: Images) -> None:
    table = distances(images, (24, 96, PIXELS)).set_index("dimension")
    assert table["median"].to_numpy() == pytest.approx(1.0, abs=0.15)
    assert (table["high"] - table["low"]).is_monotonic_decreasing
    assert table.loc[PIXELS].to_numpy() == pytest.approx(1.0)


def test_the_verdict_is_about_random_projections_alone(images: Images) -> None:
    spec = read_experiment("projection")
    assert isinstance(spec, ProjectionExperiment)
    table = errors(images, (48,)).assign(dimension=spec.shown)
    by_method = table.set_index("method")["error"]
    like_pca = spec.model_copy(update={"stated_error": by_method["pca"]})
    like_raw = spec.model_copy(update={"stated_error": by_method["raw"]})
    assert verdict_of(like_pca, table).startswith("**did not hold**")
    assert verdict_of(like_raw, table).startswith("**held**")


@pytest.mark.slow
def test_the_quick_form_runs(tmp_path: Path) -> None:
    arguments = ["experiment", "projection", "--quick", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None, result.output
    assert (tmp_path / "figure.pdf").exists()
