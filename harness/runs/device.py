"""The device of a run, made ready on the machine where its trials run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.frameworks.load import cuda_of_wheel
from harness.machine.gpu_checks import Needs, ready
from harness.machine.gpus import show_only
from workloads.spec import SuiteWorkload


def ready_device(
    device: str, framework: str, sizes: Sequence[SuiteWorkload], say: Callable[[str], None]
) -> str:
    """The device under the name that referee and worker know it by; it is ready for trials.

    A GPU is then the only one that is shown to them. A claim on it is each trial's own affair.

    Args:
        device: as `choose_device` gives it.
        framework: what is to run there.
        sizes: the workloads at their suite's sizes.
        say: hears in a line which GPU it is.

    Raises:
        HarnessError: no trial can run there; the message says why and what to do.
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
