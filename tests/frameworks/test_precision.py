"""No switch of torch's that makes arithmetic cheaper outlives a pin."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch

from harness.frameworks.torch.device import TorchDevice
from harness.frameworks.torch.precision import Flag, flags

CHEAP = ("bf16", "tf32")


def with_precision() -> list[Any]:
    """Everything in torch.backends that has a precision of float32, however deep."""
    by_id: dict[int, Any] = {}
    everything: Any = torch.backends  # which declares few of its parts
    backends = [m for m in vars(everything.m).values() if isinstance(m, ModuleType)]
    for backend in [everything, *backends]:
        parts = vars(getattr(backend, "m", backend)) | vars(type(backend))
        owners = [backend, *parts.values()]
        for owner in (owner for owner in owners if not isinstance(owner, type)):
            with contextlib.suppress(Exception):  # whatever it is, it has no precision to read
                if isinstance(owner.fp32_precision, str):
                    by_id[id(owner)] = owner
    return list(by_id.values())


@pytest.fixture
def device() -> Iterator[TorchDevice]:
    torch_device = TorchDevice("cpu", torch.get_num_threads())
    yield torch_device
    torch_device.pin()


def test_the_walk_finds_every_backend(device: TorchDevice) -> None:
    owners = {id(flag.owner) for flag in flags() if flag.name == "fp32_precision"}
    assert owners <= {id(owner) for owner in with_precision()}


def test_every_float32_is_exact_again_after_a_pin(device: TorchDevice) -> None:
    for owner in with_precision():
        for cheap in CHEAP:
            with contextlib.suppress(RuntimeError):
                owner.fp32_precision = cheap
    assert any(owner.fp32_precision != "ieee" for owner in with_precision())
    device.pin()
    assert [owner.fp32_precision for owner in with_precision()] == ["ieee"] * len(with_precision())


@pytest.mark.parametrize("flag", flags(), ids=lambda flag: flag.name)
def test_a_flag_is_as_declared_after_a_pin(device: TorchDevice, flag: Flag) -> None:
    setattr(flag.owner, flag.name, not flag.value if isinstance(flag.value, bool) else "tf32")
    device.pin()
    assert getattr(flag.owner, flag.name) == flag.value


def test_autocast_is_off_after_a_pin(device: TorchDevice) -> None:
    torch.set_autocast_enabled("cpu", True)
    device.pin()
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_numbers_are_float32_and_keep_their_small_ones_after_a_pin(device: TorchDevice) -> None:
    torch.set_default_dtype(torch.float16)
    torch.set_flush_denormal(True)
    device.pin()
    assert torch.ones(1).dtype == torch.float32
    assert (torch.tensor([1e-39]) * 1.0).item() != 0.0


def test_attention_sums_products_in_full_after_a_pin(device: TorchDevice) -> None:
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    device.pin()
    assert not torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()


@pytest.mark.system
def test_the_older_switches_can_be_read_after_a_pin() -> None:
    read = (
        "import torch; from harness.frameworks.torch.device import TorchDevice;"
        "TorchDevice('cpu', 1).pin();"
        "print(torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)"
    )
    # in a process of its own: a switch that anybody has set before can be read in any case
    process = subprocess.run(
        [sys.executable, "-c", read], check=False, capture_output=True, text=True
    )
    assert process.stdout.split() == ["False", "False"], process.stderr


@pytest.mark.gpu
def test_on_a_gpu_products_are_of_full_float32_after_a_pin() -> None:
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    device = TorchDevice("cuda", 1)
    device.pin()
    assert device.device == torch.device("cuda:0")
    left = torch.rand(512, 512, dtype=torch.float64)
    product = (left.float().to(device.device) @ left.float().to(device.device)).double().cpu()
    assert (product - left @ left).abs().max() < 1e-3
