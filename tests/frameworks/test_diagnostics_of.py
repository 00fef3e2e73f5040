"""Which diagnostics a framework says that it computes."""

from __future__ import annotations

import pytest

from harness.frameworks.load import diagnostics_of


@pytest.mark.parametrize(
    ("framework", "names"), [("torch", {"sharpness", "curvature"}), ("jax", set())]
)
def test_a_framework_says_which_diagnostics_it_computes(framework: str, names: set[str]) -> None:
    assert set(diagnostics_of(framework)) == names
