"""The probe of a device is long enough to see that another process shares it."""

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from harness.frameworks.products import HEATING_S, LEAST_S, Products
from harness.frameworks.torch.device import TorchDevice


class Slow:
    """A device whose products take a time each."""

    def __init__(self, product_s: float) -> None:
        self.product_s, self.calls = product_s, list[int]()

    def __call__(self, side: int, count: int) -> None:
        self.calls.append(count)
        time.sleep(count * self.product_s)


QUEUEING = """
import sys, time, torch
matrix = torch.full((2048, 2048), 1 / 2048, device="cuda")
def products(count=8):
    for _ in range(count):
        matrix @ matrix
products()
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph):
    products()
queue = graph.replay if sys.argv[1] == "graph" else products
torch.cuda.synchronize()
start_s = time.perf_counter()
for _ in range(20):
    queue()
torch.cuda.synchronize()
each_ms = 1e3 * (time.perf_counter() - start_s) / 20
print("idle", flush=True)
for line in sys.stdin:
    for _ in range(1 + int(float(line) / each_ms)):
        queue()
    print("queued", flush=True)
    torch.cuda.synchronize()
    print("idle", flush=True)
"""
"""A process that queues as many milliseconds of work as it is asked for."""


def seconds(work: Callable[[], None]) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


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
def test_on_a_gpu_an_idle_device_is_steady() -> None:
    device = TorchDevice("cuda", 1)
    device.pin()
    device.probe()
    idle = sorted(seconds(device.probe) for _ in range(200))
    assert idle[-1] < 1.6 * idle[100]
    assert idle[100] >= LEAST_S["cuda"] / 2


@pytest.mark.gpu
@pytest.mark.parametrize("way", ["stream", "graph"])
def test_on_a_gpu_what_another_process_has_queued_is_seen(way: str) -> None:
    device, pipe = TorchDevice("cuda", 1), subprocess.PIPE
    device.pin()
    device.probe()
    command = [sys.executable, "-c", QUEUEING, way]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "idle\n"
        idle_s = sorted(seconds(device.probe) for _ in range(20))[10]
        for milliseconds in (50, 200, 1000):
            other.stdin.write(f"{milliseconds}\n")
            other.stdin.flush()
            assert other.stdout.readline() == "queued\n"
            assert seconds(device.probe) > 1.6 * idle_s, milliseconds
            assert other.stdout.readline() == "idle\n"
        other.stdin.close()
