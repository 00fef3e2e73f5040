"""What a step of the shipped algorithms asks of a GPU, counted without one."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from harness.providers.registry import submission_folders
from tests.tiers import nightly_but

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WAIT_BY_DESIGN = {
    "adams": "its decay is one number, of all gradients",
    "d_adaptation": "the estimate is a number",
    "prodigy": "the estimate is a number",
    "swats": "whether it switches is decided by the host",
}
WAIT_AT_REFRESHES = ("caspr", "eshampoo", "shampoo", "splus")
"""They see whether a decomposition has failed."""
UNCOUNTED = ("ggt",)
"""How much it computes hangs on values, which are not there."""
BUILT = re.compile(r"^def build\(|\bimport build$", re.MULTILINE)
NAMES = [
    name
    for name, folder in sorted(submission_folders().items())
    if (code := folder / "submission.py").exists() and BUILT.search(code.read_text())
]
"""Those that torch has an optimizer of; others draw their own batches."""
WAIT_FREE = sorted({*NAMES} - {*WAIT_BY_DESIGN, *WAIT_AT_REFRESHES, *UNCOUNTED})
EACH_COMMIT = ("adamw", "lion", "muon", "normuon", "muown", "psgd", "lamb", "adafactor", "amos")
REFRESH = 12
"""Steps after which every refresh has come once."""
STACKED = {
    "muon": 400, "normuon": 700, "adamuon": 700, "scion": 350, "shampoo": 650, "soap": 650,
    "eshampoo": 600, "psgd": 700,
}  # fmt: skip
"""Operations of a step on 24 matrices of four shapes, at most; one by one they take thousands."""


@pytest.fixture(scope="module")
def launches() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("launches")
    sys.modules.pop("launches")


@pytest.mark.system
@pytest.mark.parametrize("name", nightly_but(EACH_COMMIT, WAIT_FREE))
def test_no_step_after_the_first_waits_for_the_device(launches: ModuleType, name: str) -> None:
    assert set(launches.count_launches(name, "mlp", REFRESH).waits[1:]) == {0}


@pytest.mark.parametrize(
    "name", nightly_but(("adams", "shampoo"), [*WAIT_BY_DESIGN, *WAIT_AT_REFRESHES])
)
def test_what_waits_does_so_at_most_three_times_a_step(launches: ModuleType, name: str) -> None:
    assert 0 < max(launches.count_launches(name, "mlp", REFRESH).waits[1:]) <= 3


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "most"), nightly_but([("muon", 400), ("psgd", 700)], STACKED.items())
)
def test_matrices_of_one_shape_are_updated_together(
    launches: ModuleType, name: str, most: int
) -> None:
    assert max(launches.count_launches(name, "transformer", 4).operations[1:]) <= most


def test_what_crosses_between_host_and_device_is_a_wait(launches: ModuleType) -> None:
    launches.set_up_device()
    with FakeTensorMode(allow_non_fake_inputs=True), launches.Counter() as counter:
        there = torch.ones(2, device=launches.DEVICE)
        waits = [counter.waits]
        for act in (there.cpu, there.sum().item, lambda: there.copy_(torch.ones(2)), there.sum):
            act()
            waits.append(counter.waits)
    assert waits == [0, 1, 2, 3, 3]


def test_a_fused_step_is_one_operation_beside_the_count_of_steps(launches: ModuleType) -> None:
    assert launches.count_launches("adamw", "transformer", 2).operations[-1] <= 4
