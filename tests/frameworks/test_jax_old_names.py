"""Submissions that were written for an older jax find the names that they use."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest

from harness.frameworks.jax.old_names import enter_old_names


@pytest.mark.parametrize(
    "bounds", [{"a_min": 1.0, "a_max": 2.0}, {"min": 1.0, "max": 2.0}, {"a_min": 1.0, "max": 2.0}]
)
def test_clip_takes_its_bounds_by_both_names(
    monkeypatch: pytest.MonkeyPatch, bounds: dict[str, Any]
) -> None:
    monkeypatch.setattr(jnp, "clip", jnp.clip)
    enter_old_names()
    values = jnp.arange(4.0)
    assert jnp.clip(values, **bounds).tolist() == [1.0, 1.0, 2.0, 2.0]
    assert jnp.clip(values, 1.0, 2.0).tolist() == [1.0, 1.0, 2.0, 2.0]
    assert jnp.clip(a=values, a_min=2.0).tolist() == [2.0, 2.0, 2.0, 3.0]
