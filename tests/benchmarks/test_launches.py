"""What a step of the shipped algorithms asks of a GPU, counted without one."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WAIT_BY_DESIGN = {
    "adams": "its decay is one number, of all gradients",
    "d_adaptation": "the estimate is a number",
    "prodigy": "the estimate is a number",
    "swats": "whether it switches is decided by the host",
}
REFRESH = 12
"""Steps after which every refresh has come once."""


@pytest.fixture(scope="module")
def launches() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("launches")
    sys.modules.pop("launches")


@pytest.mark.parametrize(
    "name", ["adamw", "lion", "muon", "normuon", "muown", "psgd", "lamb", "adafactor", "amos"]
)
def test_a_step_reads_nothing_of_the_device(launches: ModuleType, name: str) -> None:
    assert set(launches.counted(name, "mlp", 3).waits) == {0}


@pytest.mark.parametrize("name", sorted(WAIT_BY_DESIGN))
def test_what_reads_a_number_does_so_at_most_twice_a_step(launches: ModuleType, name: str) -> None:
    assert 0 < max(launches.counted(name, "mlp", 3).waits) <= 2


def test_between_refreshes_a_basis_is_not_read(launches: ModuleType) -> None:
    counts = launches.counted("soap", "mlp", REFRESH)
    assert 0 in counts.waits and max(counts.waits) > 0


def test_a_fused_step_is_one_operation_beside_the_count_of_steps(launches: ModuleType) -> None:
    assert launches.counted("adamw", "transformer", 2).operations[-1] <= 4
