"""Logits below float32 are raised to it a part at a time: same numbers, bounded memory."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.backends.common import aot_autograd
from torch._functorch import aot_autograd as aot
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch._inductor.decomposition import select_decomp_table
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from harness.frameworks.torch import cross_entropy
from harness.frameworks.torch.cross_entropy import mean_cross_entropy

boxed = vars(aot)["make_boxed_func"]
ROWS, CLASSES = 37, 50


def logits() -> Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randn(ROWS, CLASSES, generator=random).bfloat16().requires_grad_()


TARGETS = torch.arange(ROWS) % CLASSES


class Largest(TorchDispatchMode):
    """Notes the largest float32 tensor that any operation makes."""

    numel = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.dtype == torch.float32:
            self.numel = max(self.numel, result.numel())
        return result


@pytest.mark.parametrize("rows", [1, 8, ROWS, 1000])
def test_loss_and_gradient_are_those_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(cross_entropy, "PART_BYTES", 4 * CLASSES * rows)
    whole, in_parts = logits(), logits()
    expected = functional.cross_entropy(whole.float(), TARGETS)
    loss = mean_cross_entropy(in_parts, TARGETS)
    torch.testing.assert_close(loss, expected)
    expected.backward()
    (3.0 * loss).backward()
    assert whole.grad is not None
    torch.testing.assert_close(in_parts.grad, 3.0 * whole.grad, rtol=2e-2, atol=1e-5)


def test_no_more_than_one_part_stands_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "PART_BYTES", 4 * CLASSES * 5)
    low = logits()
    with Largest() as largest:  # type: ignore[no-untyped-call]
        mean_cross_entropy(low, TARGETS).backward()
    assert 0 < largest.numel <= 5 * CLASSES


def test_a_compiled_pass_keeps_no_float32_logits_for_its_backward_pass() -> None:
    tensors: list[Tensor] = []

    def note(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        output = next(node for node in graph.graph.nodes if node.op == "output")
        tensors.extend(node.meta["val"] for node in output.args[0] if node is not None)
        compiled: Callable[..., object] = boxed(graph.forward)
        return compiled

    torch._dynamo.reset()
    back_end = aot_autograd(
        fw_compiler=note,
        bw_compiler=lambda graph, _: boxed(graph.forward),
        partition_fn=min_cut_rematerialization_partition,
        decompositions=select_decomp_table(),
    )
    torch.compile(mean_cross_entropy, backend=back_end)(logits(), TARGETS).backward()
    torch._dynamo.reset()
    raised = [
        one for one in tensors if one.dtype == torch.float32 and one.numel() >= ROWS * CLASSES
    ]
    assert tensors and not raised


@pytest.mark.gpu
def test_on_a_gpu_a_compiled_loss_takes_less_than_its_logits_in_float32() -> None:
    device, rows, classes = "cuda:0", 32768, 16384
    big = torch.randn(rows, classes, dtype=torch.bfloat16, device=device, requires_grad=True)
    targets = torch.randint(classes, (rows,), device=device)
    loss = torch.compile(mean_cross_entropy)
    loss(big, targets).backward()
    big.grad = None
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    loss(big, targets).backward()
    assert torch.cuda.max_memory_allocated() - before < 4 * rows * classes
