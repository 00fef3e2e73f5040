"""The transformer's parameters and layers, shared by all frameworks.

    x = sqrt(d) E[token]
    x = x + W_o Attention(N_q(W_q n), N_k(W_k n), W_v n),  n = N(x)      in every block,
    x = x + W_down act(W_up n),                            n = N(x)
    logits = E N(x)

N divides by the root mean square and multiplies by a gain (RMSNorm: Zhang and Sennrich, 2019); N_q
and N_k do so for each head (QK-norm: Henry et al., 2020; Dehghani et al., 2023), before the rotary
positions (Su et al., 2021; base 10,000, halves rotated against each other). Attention is causal.
act is an activation by name, such as the squared ReLU (So et al., 2021) or the exact GELU, or
gated: silu(W_gate n) * W_up n (SwiGLU), gelu(W_gate n) * W_up n (GEGLU: Shazeer, 2020). There are
no biases. Input and output embedding are tied (Press and Wolf, 2017) unless `is_tied` is False;
then logits = W_out N(x). With `placement` "post" a block is x = N(x + f(x)) and there is no final N
(Vaswani et al., 2017); with "parallel" attention and MLP share one N and are added at once (Wang
and Komatsuzaki, 2021). With `norm` "layer" the mean is subtracted first; there is still no bias.

Query, key and value are separate matrices: the first two are normalised and the third is not, which
is declared per parameter, and one wide product is hardly faster than three.

Matrices start normal with standard deviation `init_scale` / sqrt(fan_in), divided by sqrt(2 depth)
for the last one of a residual branch; for the embedding and an untied output it is 0.02
`init_scale` (GPT-2: Radford et al., 2019). Gains start at 1. Sizes:

    classes      the vocabulary
    width        d, a multiple of `heads`; width / heads is even
    depth        the number of blocks
    heads        the number of attention heads
    mlp_width    the width inside the MLP
    activation   squared_relu, relu, gelu, silu, swiglu or geglu
    norm         rms or layer
    placement    pre, post or parallel
    query_norm   whether there are N_q and N_k
    is_tied      whether input and output embedding are tied
    init_scale   a factor on the matrices' initial standard deviation
    base_width   the width at which `width_multiplier` is 1, in a model with the same number of
                 heads

Relative to their base values, maximal-update scaling divides the tied logits by the width and
attention by the head width, and keeps the start of the residual stream unchanged. The weights that
carry these factors declare them (`mup_multiplier`). The embedding and the final gain each carry the
square root of the first factor; the embedding's also compensates sqrt(d) at the start of the
stream. The query gain (without N_q the query matrix) carries the square root of the attention
factor, as attention is already divided by the square root of the head width. An untied output is
recognised by its role, as in any other model.
"""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import model_validator

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role, WidthScale
from workloads.sizes import validate_sizes
from workloads.spec import Count, Frozen, Positive, Sizes

EPSILON = 1e-6
"""Added to the mean square in every normalisation."""
ROTARY_BASE = 10_000.0
EMBEDDING_DEVIATION = 0.02
GATES = {"swiglu": "silu", "geglu": "gelu"}
"""What is applied to the gate of a gated activation."""


class LmSizes(Frozen):
    """The workload's validated `sizes`."""

    classes: Count
    width: Count = 128
    depth: Count = 4
    heads: Count = 4
    mlp_width: Count = 512
    activation: Literal["squared_relu", "relu", "gelu", "silu", "swiglu", "geglu"] = "squared_relu"
    norm: Literal["rms", "layer"] = "rms"
    placement: Literal["pre", "post", "parallel"] = "pre"
    query_norm: bool = True
    is_tied: bool = True
    init_scale: Positive = 1.0
    base_width: Count = 128

    @model_validator(mode="after")
    def _heads_are_even_parts(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width is {self.width}; allowed: multiples of 2 * heads = {2 * self.heads}"
            )
        return self

    @property
    def head_width(self) -> int:
        """The width of one attention head."""
        return self.width // self.heads

    @property
    def is_gated(self) -> bool:
        """Whether the MLP has a gate."""
        return self.activation in GATES

    @property
    def has_final_norm(self) -> bool:
        """Whether the residual stream is normalised once more at its end."""
        return self.placement != "post"

    @property
    def has_mlp_norm(self) -> bool:
        """Whether the MLP has a norm of its own."""
        return self.placement != "parallel"

    @property
    def blocks(self) -> tuple[str, ...]:
        """The names of the blocks."""
        return tuple(f"blocks.{index}" for index in range(self.depth))

    @property
    def matrices(self) -> tuple[tuple[str, int, int], ...]:
        """Name, input width and output width of a block's matrices, in their order."""
        gate = [("gate", self.width, self.mlp_width)] if self.is_gated else []
        return (
            *((name, self.width, self.width) for name in ("query", "key", "value", "output")),
            *gate,
            ("up", self.width, self.mlp_width),
            ("down", self.mlp_width, self.width),
        )


def validate(sizes: Sizes) -> LmSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return validate_sizes(LmSizes, sizes, "lm")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """The embedding (classes, width), each block's gains and matrices (out, in), the final gain.

    An output that is not tied (classes, width) comes last.
    """
    network = validate(sizes)
    blocks = [spec for name in network.blocks for spec in _block(network, name)]
    last = [_gain(network, "final_norm", network.width)] if network.has_final_norm else []
    output = [] if network.is_tied else [_output(network)]
    return (_embedding(network), *blocks, *last, *output)


def multiplications(sizes: Sizes) -> float:
    """Multiplications in the products of a forward pass with matrices, for each token.

    Those of queries with keys and of scores with values come on top, 2 depth width time.
    """
    network = validate(sizes)
    of_block = sum(fan_in * fan_out for _, fan_in, fan_out in network.matrices)
    return float(network.depth * of_block + network.classes * network.width)


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """Empty: the model has no batch normalisation."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The linear layers, block by block, then the output if it is not tied.

    A tied embedding is excluded: it is used twice, as input and as output, so its gradient is not
    a sum of products of one layer's inputs and output gradients.
    """
    network = validate(sizes)
    names = [f"{block}.{name}" for block in network.blocks for name, _, _ in network.matrices]
    return tuple(
        LayerSpec(name=name, kind="linear", weight=f"{name}.weight", shared_over="sequence")
        for name in (*names, *(() if network.is_tied else ("output",)))
    )


def _embedding(sizes: LmSizes) -> ParameterSpec:
    """If tied, its multiplier follows the width, its fan-in as the output layer."""
    scale = _root_of(sizes.width, sizes.base_width) if sizes.is_tied else WidthScale()
    return ParameterSpec(
        name="embedding.weight",
        shape=(sizes.classes, sizes.width),
        role=Role.EMBEDDING,
        fan_in=sizes.classes,
        fan_out=sizes.width,
        init=Init("normal", EMBEDDING_DEVIATION * sizes.init_scale),
        width_multiplier=sizes.width / sizes.base_width if sizes.is_tied else 1.0,
        mup_multiplier=scale,
    )


def _output(sizes: LmSizes) -> ParameterSpec:
    return ParameterSpec(
        name="output.weight",
        shape=(sizes.classes, sizes.width),
        role=Role.OUTPUT,
        fan_in=sizes.width,
        fan_out=sizes.classes,
        init=Init("normal", EMBEDDING_DEVIATION * sizes.init_scale),
        width_multiplier=sizes.width / sizes.base_width,
    )


def _block(sizes: LmSizes, block: str) -> tuple[ParameterSpec, ...]:
    matrix = {
        name: _matrix(sizes, f"{block}.{name}", fan_in, fan_out)
        for name, fan_in, fan_out in sizes.matrices
    }
    of_heads = ("query_norm", "key_norm") if sizes.query_norm else ()
    of_mlp = ("mlp_norm",) if sizes.has_mlp_norm else ()
    return (
        _gain(sizes, f"{block}.attention_norm", sizes.width),
        *(matrix[name] for name in ("query", "key", "value")),
        *(_gain(sizes, f"{block}.{name}", sizes.head_width) for name in of_heads),
        matrix["output"],
        *(_gain(sizes, f"{block}.{name}", sizes.width) for name in of_mlp),
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
        is_normalised=kind in ("query", "key") and sizes.query_norm,
        mup_multiplier=(
            _attention_scale(sizes) if kind == "query" and not sizes.query_norm else WidthScale()
        ),
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
    last = "final_norm" if sizes.has_final_norm else f"{sizes.blocks[-1]}.mlp_norm"
    if name == last and sizes.is_tied:
        return _root_of(sizes.width, sizes.base_width)
    return _attention_scale(sizes) if name.endswith(".query_norm") else WidthScale()


def _attention_scale(sizes: LmSizes) -> WidthScale:
    return _root_of(sizes.head_width, sizes.base_width / sizes.heads)


def _root_of(width: int, base: float) -> WidthScale:
    return WidthScale(-0.5, width, base)
