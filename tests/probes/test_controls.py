"""Each probe has a simple method that passes it and one, as simple, that does not.

So a target is neither out of reach in its budget nor reached by anything, and what makes the
difference is what the probe is about. The other method's points are no straw men: it passes
`undisturbed` with the same rate, or the probe's rates are beyond all that it could take.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from harness.providers import registry
from tests.probes.methods import (
    Method,
    adagrad,
    adam,
    clip,
    layerwise,
    sgd,
    sign,
    skipping,
    whiten,
)
from tests.probes.training import Schedule, Verdict, constant, cosine, harmonic, verdict
from tests.tiers import nightly_but


class Control(NamedTuple):
    """A method that passes, and another with how it ends."""

    good: Method
    bad: Method
    ends: Verdict = "fail"
    bad_schedule: Schedule = cosine


CONTROLS = {
    "undisturbed": Control(sgd(0.1), sgd(1e-3)),
    "ill_conditioned": Control(sign(0.01), sgd(1.0)),
    "rotated_conditioning": Control(whiten(0.5), adam(0.01)),
    "uncentred_inputs": Control(whiten(0.5), adam(0.01)),
    "layer_scales": Control(layerwise(0.02), sgd(0.1), "diverged"),
    "noisy_targets": Control(sgd(0.1), sgd(1.0), bad_schedule=constant),
    "heavy_tails": Control(sign(0.01), sgd(0.1)),
    "spike": Control(clip(0.3, norm=1.0), adam(0.01)),
    "one_nan": Control(skipping(0.3), sgd(0.3), "diverged"),
    "huge_gradients": Control(adam(0.01), sgd(0.1), "diverged"),
    "tiny_gradients": Control(sign(0.01), adam(0.01)),
    "shrinking_gradients": Control(sign(2e-3), adagrad(0.05)),
    "vanishing_gradients": Control(layerwise(0.1), sgd(0.1, momentum=0.9)),
    "exploding_gradients": Control(layerwise(0.02), sgd(0.01), "diverged"),
    "saddle": Control(adam(0.01), sgd(0.1, momentum=0.9)),
    "plateau": Control(adam(0.01), sgd(0.1, momentum=0.9)),
    "dead_units": Control(layerwise(0.1), sgd(1.0)),
    "far_start": Control(sgd(0.1, momentum=0.9), adam(0.01)),
    "idle_layer": Control(layerwise(0.1), layerwise(0.1, epsilon=0.0), "diverged"),
    "tied_layers": Control(layerwise(0.02), sgd(0.1), "diverged"),
    "sparse_inputs": Control(adagrad(0.05), sgd(1.0)),
    "rare_classes": Control(adam(0.01), sign(2e-3)),
    "late_inputs": Control(sgd(1.0), sgd(0.3), bad_schedule=harmonic),
    "shifting_targets": Control(sgd(1.0), sgd(0.3), bad_schedule=harmonic),
    "contrary_majority": Control(adam(0.01), sign(0.01)),
}


EACH_COMMIT = ["undisturbed", "spike", "rare_classes"]
"""A plain one, one with a disturbance in the gradients, one with another in the data."""


def test_every_probe_has_a_control() -> None:
    assert set(CONTROLS) == set(registry.suite("probes").workloads)


@pytest.mark.parametrize("probe", nightly_but(EACH_COMMIT, CONTROLS))
def test_a_simple_method_passes(probe: str) -> None:
    assert verdict(probe, CONTROLS[probe].good) == "pass"


@pytest.mark.parametrize("probe", nightly_but(EACH_COMMIT, CONTROLS))
def test_another_does_not(probe: str) -> None:
    control = CONTROLS[probe]
    assert verdict(probe, control.bad, control.bad_schedule) == control.ends
