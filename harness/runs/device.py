"""Prepare the device of a run on the machine where its trials run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.frameworks.load import cuda_of_wheel
from harness.machine.gpu_checks import Needs, ready
from harness.machine.gpus import show_only
from workloads.spec import SuiteWorkload


def ready_device(
    device: str, framework: str, sizes: Sequence[SuiteWorkload], say: Callable[[str], None]
) -> str:
    """Prepare a device for trials; returns the name by which referee and worker address it.

    A GPU becomes the only visible one. Each trial claims it separately.

    Args:
        device: a result of `choose_device`.
        framework: the trials' framework.
        sizes: the workloads in the suite's sizes.
        say: receives a line that names the GPU.

    Raises:
        HarnessError: no trial can run on it; the message says why and what to do.
    """
    if device == "cpu":
        return device
    needs = Needs(
        framework,
        cuda_of_wheel(framework),
        memory_gib=max(size.limits.memory_gib for size in sizes),
        is_compiled=any(size.compile for size in sizes),
    )
    gpu = ready(device, needs)
    say(f"{device} is {gpu.name} ({gpu.uuid})")
    return show_only(gpu)
