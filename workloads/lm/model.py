"""The transformer's parameters and layers, shared by all frameworks.

    x = sqrt(d) E[token]
    x = x + W_o Attention(N_q(W_q n), N_k(W_k n), W_v n),  n = N(x)      in every block,
    x = x + W_down act(W_up n),                            n = N(x)
    logits = E N(x)

N divides by the root mean square and multiplies by a gain (RMSNorm: Zhang and Sennrich, 2019); N_q
and N_k do so for each head (QK-norm: Henry et al., 2020; Dehghani et al., 2023), before the rotary
positions (Su et al., 2021; base 10,000, halves rotated against each other). Attention is causal.
act is the squared ReLU (So et al., 2021), the exact GELU, or gated, silu(W_gate n) * W_up n
(SwiGLU: Shazeer, 2020). There are no biases; input and output embedding are tied (Press and Wolf,
2017). With `placement` "post" a block is x = N(x + f(x)) and there is no final N (Vaswani et al.,
2017). With `norm` "layer" the mean is subtracted first; there is still no bias.

Query, key and value are separate matrices: the first two are normalised and the third is not, which
is declared per parameter, and one wide product is hardly faster than three.

Matrices start normal with standard deviation `init_scale` / sqrt(fan_in), divided by sqrt(2 depth)
for the last one of a residual branch, the embedding with 0.02 `init_scale` (GPT-2: Radford et al.,
2019); gains start at 1. Sizes:

    classes      the vocabulary
    width        d, a multiple of `heads`; width / heads is even
    depth        the number of blocks
    heads        the number of attention heads
    mlp_width    the width inside the MLP
    activation   squared_relu, gelu or swiglu
    norm         rms or layer
    placement    pre or post
    init_scale   a factor on the matrices' initial standard deviation
    base_width   the width at which `width_multiplier` is 1, in a model with the same number of
                 heads

Relative to their base values, maximal-update scaling divides the tied logits by the width and
attention by the head width, and keeps the start of the residual stream unchanged. The weights that
carry these factors declare them (`mup_multiplier`). The embedding and the final gain each carry the
square root of the first factor; the embedding's also compensates sqrt(d) at the start of the
stream. The query gain carries the square root of the attention factor, as attention is already
divided by the square root of the head width.
"""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import model_validator

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role, WidthScale
from workloads.sizes import checked_sizes
from workloads.spec import Count, Frozen, Positive, Sizes

EPSILON = 1e-6
"""Added to the mean square in every normalisation."""
ROTARY_BASE = 10_000.0
EMBEDDING_DEVIATION = 0.02


class LmSizes(Frozen):
    """The workload's validated `sizes`."""

    classes: Count
    width: Count = 128
    depth: Count = 4
    heads: Count = 4
    mlp_width: Count = 512
    activation: Literal["squared_relu", "gelu", "swiglu"] = "squared_relu"
    norm: Literal["rms", "layer"] = "rms"
    placement: Literal["pre", "post"] = "pre"
    init_scale: Positive = 1.0
    base_width: Count = 128

    @model_validator(mode="after")
    def _heads_are_even_parts(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is no multiple of 2 x heads = {2 * self.heads}")
        return self

    @property
    def head_width(self) -> int:
        """The width of one attention head."""
        return self.width // self.heads

    @property
    def blocks(self) -> tuple[str, ...]:
        """The names of the blocks."""
        return tuple(f"blocks.{index}" for index in range(self.depth))

    @property
    def matrices(self) -> tuple[tuple[str, int, int], ...]:
        """Name, input width and output width of a block's matrices, in their order."""
        gate = [("gate", self.width, self.mlp_width)] if self.activation == "swiglu" else []
        return (
            *((name, self.width, self.width) for name in ("query", "key", "value", "output")),
            *gate,
            ("up", self.width, self.mlp_width),
            ("down", self.mlp_width, self.width),
        )


def checked(sizes: Sizes) -> LmSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return checked_sizes(LmSizes, sizes, "lm")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """The embedding (classes, width), each block's gains and matrices (out, in), the final gain."""
    chosen = checked(sizes)
    blocks = [spec for name in chosen.blocks for spec in _block(chosen, name)]
    last = [_gain(chosen, "final_norm", chosen.width)] if chosen.placement == "pre" else []
    return (_embedding(chosen), *blocks, *last)


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """Empty: the model has no batch normalisation."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The linear layers, block by block.

    The tied embedding is excluded: it is used twice, as input and as output, so its gradient is not
    a sum of products of one layer's inputs and output gradients.
    """
    chosen = checked(sizes)
    return tuple(
        LayerSpec(
            name=f"{block}.{name}",
            kind="linear",
            weight=f"{block}.{name}.weight",
            shared_over="sequence",
        )
        for block in chosen.blocks
        for name, _, _ in chosen.matrices
    )


def _embedding(sizes: LmSizes) -> ParameterSpec:
    """The tied matrix; its multiplier follows the width, its fan-in as the output layer."""
    return ParameterSpec(
        name="embedding.weight",
        shape=(sizes.classes, sizes.width),
        role=Role.EMBEDDING,
        fan_in=sizes.classes,
        fan_out=sizes.width,
        init=Init("normal", EMBEDDING_DEVIATION * sizes.init_scale),
        width_multiplier=sizes.width / sizes.base_width,
        mup_multiplier=_root_of(sizes.width, sizes.base_width),
    )


def _block(sizes: LmSizes, block: str) -> tuple[ParameterSpec, ...]:
    matrix = {
        name: _matrix(sizes, f"{block}.{name}", fan_in, fan_out)
        for name, fan_in, fan_out in sizes.matrices
    }
    return (
        _gain(sizes, f"{block}.attention_norm", sizes.width),
        *(matrix[name] for name in ("query", "key", "value")),
        _gain(sizes, f"{block}.query_norm", sizes.head_width),
        _gain(sizes, f"{block}.key_norm", sizes.head_width),
        matrix["output"],
        _gain(sizes, f"{block}.mlp_norm", sizes.width),
        *(matrix[name] for name in ("gate", "up", "down") if name in matrix),
    )


def _matrix(sizes: LmSizes, name: str, fan_in: int, fan_out: int) -> ParameterSpec:
    kind = name.rpartition(".")[2]
    ends_branch = kind in ("output", "down")
    shrink = math.sqrt(2.0 * sizes.depth) if ends_branch else 1.0
    return ParameterSpec(
        name=f"{name}.weight",
        shape=(fan_out, fan_in),
        role=Role.HIDDEN_MATRIX,
        fan_in=fan_in,
        fan_out=fan_out,
        init=Init("normal", sizes.init_scale / (shrink * math.sqrt(fan_in))),
        width_multiplier=sizes.width / sizes.base_width,
        normalised=kind in ("query", "key"),
    )


def _gain(sizes: LmSizes, name: str, width: int) -> ParameterSpec:
    is_head = width == sizes.head_width and width != sizes.width
    return ParameterSpec(
        name=f"{name}.weight",
        shape=(width,),
        role=Role.NORM,
        fan_in=width,
        fan_out=width,
        init=Init("constant", 1.0),
        width_multiplier=1.0 if is_head else sizes.width / sizes.base_width,
        mup_multiplier=_gain_scale(sizes, name),
    )


def _gain_scale(sizes: LmSizes, name: str) -> WidthScale:
    last = "final_norm" if sizes.placement == "pre" else f"{sizes.blocks[-1]}.mlp_norm"
    if name == last:
        return _root_of(sizes.width, sizes.base_width)
    if name.endswith(".query_norm"):
        return _root_of(sizes.head_width, sizes.base_width / sizes.heads)
    return WidthScale()


def _root_of(width: int, base: float) -> WidthScale:
    return WidthScale(-0.5, width, base)
