"""The probe of a device is long enough to see that another process shares it."""

import time
from collections.abc import Callable

import pytest
import torch

from harness.frameworks.products import HEATING_S, LEAST_S, Products
from harness.frameworks.torch.device import TorchDevice


class Slow:
    """A device whose products take a time each."""

    def __init__(self, product_s: float) -> None:
        self.product_s, self.calls = product_s, list[int]()

    def __call__(self, side: int, count: int) -> None:
        self.calls.append(count)
        time.sleep(count * self.product_s)


@pytest.mark.parametrize("product_s", [0.0004, 0.003, 0.05])
def test_a_gpus_probe_takes_several_slices_of_it(product_s: float) -> None:
    device = Slow(product_s)
    probe = Products(device, "cuda")
    probe()
    assert LEAST_S["cuda"] <= probe.count * product_s * 1.5
    assert sum(device.calls[:-1]) * product_s >= HEATING_S["cuda"] / 2, "it was heated before"


def test_later_probes_are_the_same_work() -> None:
    device = Slow(0.003)
    probe = Products(device, "cuda")
    probe()
    first = device.calls[-1]
    probe()
    assert device.calls[-1] == first == probe.count


def test_a_processors_probe_is_one_product() -> None:
    device = Slow(0.0)
    Products(device, "cpu")()
    assert device.calls == [1, 1, 1]


@pytest.mark.gpu
def test_on_a_gpu_queued_work_is_seen_and_an_idle_device_is_steady() -> None:
    device = TorchDevice("cuda", 1)
    device.pin()
    device.probe()

    def seconds(before: Callable[[], None]) -> float:
        before()
        start_s = time.perf_counter()
        device.probe()
        return time.perf_counter() - start_s

    idle = sorted(seconds(lambda: None) for _ in range(200))
    assert idle[-1] < 1.6 * idle[100]
    assert idle[100] >= LEAST_S["cuda"] / 2
    for milliseconds in (20, 100, 1000):
        cycles = milliseconds * 1_500_000
        assert seconds(lambda cycles=cycles: torch.cuda._sleep(cycles)) > 1.6 * idle[100]  # type: ignore[misc]
