"""A worker's state as text and tensors: back as it was, in both frameworks, or refused."""

from __future__ import annotations

import math
import random
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.frameworks.load import training_backend
from harness.protocol.wire import DTYPES
from harness.worker.checkpoint import pack_state
from harness.worker.state import MAX_DEPTH, Flattener, StateError, unflatten
from tests.frameworks.kit import Kit

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner)
    | st.tuples(inner, inner),
    max_leaves=12,
)  # fmt: skip


def return_value(value: object, framework: str = "torch") -> Any:
    backend = training_backend(framework, "cpu", 1)
    flattener = Flattener(backend.to_host)
    text = flattener.text(value)
    text.encode("ascii")
    assert all(array.dtype.name in DTYPES for array in flattener.tensors.values())
    return unflatten(text, flattener.tensors, backend.from_host)


@given(PLAIN)
def test_plain_values_come_back_as_they_were(value: object) -> None:
    assert repr(return_value(value)) == repr(value)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(3, 4),
        torch.tensor(2.5, dtype=torch.float64),
        torch.randn(2, 3).to(torch.bfloat16),
        torch.arange(5, dtype=torch.int16),
        torch.randn(2, dtype=torch.complex64),
        torch.randn(4, 3).T,
        torch.empty(0, 3),
        torch.tensor([True, False]),
    ],
)
def test_tensors_come_back_bit_for_bit(tensor: torch.Tensor) -> None:
    back = return_value({"a": [tensor]})["a"][0]
    assert back.dtype == tensor.dtype
    assert torch.equal(back, tensor)
    assert back.data_ptr() != tensor.data_ptr() or not tensor.numel()


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last),
        torch.randn(4, 3).to(torch.bfloat16).T,
        torch.randn(2, 3, 4),
    ],
)
def test_tensors_come_back_with_their_layout(tensor: torch.Tensor) -> None:
    assert return_value(tensor).stride() == tensor.stride()


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_a_fused_step_goes_on_over_kernels_whose_channels_lie_last(
    kind: type[torch.optim.Optimizer],
) -> None:
    def run(saves: bool) -> torch.Tensor:
        noise = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
        kernel = torch.nn.Parameter(noise.contiguous(memory_format=torch.channels_last))
        options: dict[str, Any] = {"lr": 0.1, "fused": True}
        options |= {"momentum": 0.9} if kind is torch.optim.SGD else {}
        optimizer = kind([kernel], **options)
        for step in range(4):
            optimizer.zero_grad()
            (torch.sin((step + 1.0) * kernel) * noise).sum().backward()
            optimizer.step()
            if saves and step == 1:
                state = return_value(optimizer.state_dict())
                optimizer = kind([kernel], **options)
                optimizer.load_state_dict(state)
        return kernel.detach()

    assert torch.equal(run(saves=True), run(saves=False))


def test_arrays_and_keys_of_jax_come_back() -> None:
    state = {"w": jnp.arange(3.0).astype(jnp.bfloat16), "key": jax.random.key(7), "n": jnp.int32(4)}
    back = return_value(state, "jax")
    assert back["w"].dtype == jnp.bfloat16
    assert (back["w"] == state["w"]).all()
    assert jax.random.uniform(back["key"]) == jax.random.uniform(state["key"])
    assert back["n"] == 4


def test_numpys_arrays_and_scalars_come_back() -> None:
    back = return_value([np.arange(3, dtype=np.uint16), np.float32(0.5)])
    assert back[0].dtype == np.uint16
    assert isinstance(back[1], np.float32)


def test_an_array_that_occurs_twice_is_sent_once() -> None:
    tensor, flattener = torch.ones(8), Flattener(training_backend("torch", "cpu", 1).to_host)
    flattener.text([tensor, {"again": tensor}])
    assert flattener.nbytes == 32


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([object()]), [lambda: 0]])
def test_what_is_no_state_is_refused(value: object) -> None:
    with pytest.raises(StateError, match="cannot be saved"):
        return_value({"a": value})


def test_a_state_too_deep_is_refused() -> None:
    value: object = 0
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(StateError, match="levels"):
        return_value(value)


@given(st.text() | st.sampled_from(['["a",0,"jax","float32",[2]]', '["d",[[1]]]', "[]", '["t",1]']))
def test_a_text_that_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(StateError):
        unflatten(text, {}, training_backend("torch", "cpu", 1).from_host)


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_all_generators_go_on_where_they_were(framework: str) -> None:
    kit = Kit(framework)
    backend = training_backend(framework, "cpu", 1)

    def draw() -> list[float]:
        values = [random.gauss(0, 1), float(np.random.normal())]
        if framework == "torch":
            values.append(float(torch.rand(())))
            values.append(float(torch.rand((), generator=kit.problem.generator)))
        else:
            values.append(float(jax.random.uniform(kit.problem.next_key())))
        return values

    draw()
    state = return_value(backend.random_state(kit.problem), framework)
    first = [draw(), draw()]
    backend.set_random_state(kit.problem, state)
    assert [draw(), draw()] == first
    assert all(math.isfinite(number) for number in first[0])


@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize("position", [0, 128, 1000, 4096, 5000])
def test_a_stream_goes_on_from_any_position(framework: str, position: int) -> None:
    walked, sought = Kit(framework).stream(), Kit(framework).stream()
    remaining = position
    while remaining:
        walked.next(min(remaining, 100))
        remaining -= min(remaining, 100)
    sought.seek(position)
    assert sought.position == walked.position
    for _ in range(3):
        ours, theirs = sought.next(70), walked.next(70)
        assert (np.asarray(ours.inputs) == np.asarray(theirs.inputs)).all()
        assert (np.asarray(ours.targets) == np.asarray(theirs.targets)).all()


def test_a_state_of_too_much_text_costs_its_checkpoint_and_no_more() -> None:
    backend = training_backend("torch", "cpu", 1)

    def state() -> Any:
        return {"submission": {"history": [0.1] * 400_000}}

    message, tensors = pack_state(state, backend.to_host, step=7, limit_bytes=2**26)
    assert (message.step, message.state, tensors) == (7, None, {})
    assert "characters beside its arrays; 4194304 are allowed" in message.no_state
