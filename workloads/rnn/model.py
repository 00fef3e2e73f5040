"""The recurrent language model's parameters and layers, shared by all frameworks.

    x_t = D(E[token_t])
    i, f, g, o = W_x x_t + b + W_h h_{t-1}                        in every layer (Hochreiter and
    c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)             Schmidhuber, 1997; Gers et al.,
    h_t = sigmoid(o) * tanh(c_t)                                  2000), D(h_t) the next one's x_t
    logits_t = W_out D(h_t) + b_out

h and c start at zero in each sequence. D is dropout, on connections between layers only (Zaremba et
al., 2014). If `is_tied`, W_out is E (Press and Wolf, 2017), after a linear projection without a
bias if hidden and embedding width differ. With `norm` "layer" (Ba et al., 2016)

    i, f, g, o = N_x(W_x x_t) + N_h(W_h h_{t-1}),    h_t = sigmoid(o) * tanh(N_c(c_t))

where N subtracts the mean, divides by the standard deviation, multiplies by a gain and, except for
N_h, adds a bias, which replaces b. The gain of N_h starts at 0.1, the others at 1: with 1 the
recurrence of an untrained layer is chaotic (Cooijmans et al., 2017, start at 0.1 for a similar
reason).

With `between` rms or layer, both without a bias, the next layer, or the output, receives
D(N(h_t)); if `residual`, x_t is added to that wherever the widths agree.

Weights and biases start uniform in +-1/sqrt(hidden) as in `torch.nn.LSTM`, the output bias at zero,
the embedding uniform in +-0.1; `init_scale` multiplies the matrices' standard deviation. Sizes:

    classes      the vocabulary
    embedding    the width of the embedding
    hidden       the width of h and c
    depth        the number of layers
    norm         none or layer
    between      the norm of each layer's h: none, rms or layer
    residual     whether there are residual connections around layers
    dropout      the dropout rate of D
    is_tied      whether input and output embedding are tied
    init_scale   a factor on the matrices' initial standard deviation
    base_width   the width of h and of the embedding at which `width_multiplier` is 1

Maximal-update scaling divides tied logits by the embedding's width over that base. The weight that
carries the factor declares it (`mup_multiplier`): the projection or, without one, the embedding; in
the latter case the first layer's input matrix carries its inverse.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role, WidthScale
from workloads.sizes import validate_sizes
from workloads.spec import Count, Frozen, Positive, Sizes

EPSILON = 1e-5
"""Added to the variance in every normalisation."""
EMBEDDING_BOUND = 0.1
RECURRENT_GAIN = 0.1
NO_SCALE = WidthScale()


class RnnSizes(Frozen):
    """The workload's validated `sizes`."""

    classes: Count
    embedding: Count = 128
    hidden: Count = 128
    depth: Count = 1
    norm: Literal["none", "layer"] = "none"
    between: Literal["none", "rms", "layer"] = "none"
    residual: bool = False
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    is_tied: bool = False
    init_scale: Positive = 1.0
    base_width: Count = 128

    def is_residual_at(self, width: int) -> bool:
        """Whether a layer with this input width has a residual connection."""
        return self.residual and width == self.hidden

    @property
    def output_width(self) -> int:
        """The width of what the output layer receives."""
        return self.embedding if self.is_tied else self.hidden

    @property
    def has_projection(self) -> bool:
        """Whether h must be projected to the embedding's width."""
        return self.is_tied and self.embedding != self.hidden

    @model_validator(mode="after")
    def _residual_connections_exist(self) -> Self:
        if self.residual and not any(self.is_residual_at(width) for _, width in self.cells):
            raise ValueError(
                "residual is set, but no layer is as wide as its input; leave residual out, set "
                "depth above 1, or embedding = hidden"
            )
        return self

    @property
    def cells(self) -> tuple[tuple[str, int], ...]:
        """Name and input width of each recurrent layer."""
        widths = [self.embedding] + [self.hidden] * (self.depth - 1)
        return tuple((f"cells.{index}", width) for index, width in enumerate(widths))


def validate(sizes: Sizes) -> RnnSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return validate_sizes(RnnSizes, sizes, "rnn")


class Width(NamedTuple):
    """Widths of the layer that a parameter belongs to."""

    fan_in: int
    fan_out: int
    multiplier: float


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """Embedding, each cell's matrices (4 hidden, in) with their biases or norms, and output.

    The gains of norms between layers come before the output.
    """
    network = validate(sizes)
    cells = [spec for name, width in network.cells for spec in _cell(network, name, width)]
    return (_embedding(network), *cells, *_between(network), *_output(network))


def multiplications(sizes: Sizes) -> float:
    """Multiplications in the products of a forward pass, for each token."""
    network = validate(sizes)
    gates = sum(4 * network.hidden * (width + network.hidden) for _, width in network.cells)
    projection = network.hidden * network.embedding if network.has_projection else 0
    return float(gates + projection + network.classes * network.output_width)


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """Empty: the model has no batch normalisation."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The matrices of each cell, then projection and output; never the embedding.

    A tied embedding is used twice, as input and as output, so its gradient is not a sum of products
    of one layer's inputs and output gradients.
    """
    network = validate(sizes)
    specs = [layer for name, _ in network.cells for layer in _cell_layers(network, name)]
    if network.has_projection:
        specs.append(_linear("projection"))
    if not network.is_tied:
        specs.append(_linear("output", "output.bias"))
    return tuple(specs)


def _cell_layers(sizes: RnnSizes, name: str) -> tuple[LayerSpec, LayerSpec]:
    bias = f"{name}.input.bias" if sizes.norm == "none" else None
    recurrent = f"{name}.recurrent"
    return _linear(f"{name}.input", bias), LayerSpec(
        name=recurrent, kind="recurrent", weight=f"{recurrent}.weight", shared_over="sequence"
    )


def _linear(name: str, bias: str | None = None) -> LayerSpec:
    return LayerSpec(
        name=name, kind="linear", weight=f"{name}.weight", bias=bias, shared_over="sequence"
    )


def _spec(
    name: str,
    shape: tuple[int, ...],
    role: Role,
    width: Width,
    init: Init,
    *,
    is_normalised: bool = False,
    mup_multiplier: WidthScale = NO_SCALE,
) -> ParameterSpec:
    return ParameterSpec(
        name=name,
        shape=shape,
        role=role,
        fan_in=width.fan_in,
        fan_out=width.fan_out,
        init=init,
        width_multiplier=width.multiplier,
        is_normalised=is_normalised,
        mup_multiplier=mup_multiplier,
    )


def _mup_multiplier(sizes: RnnSizes, name: str) -> WidthScale:
    """The power of the width that a weight carries for tied logits."""
    powers = {"embedding.weight": -1.0, "cells.0.input.weight": 1.0}
    if sizes.has_projection:
        powers = {"projection.weight": -1.0}
    power = powers.get(name, 0.0) if sizes.is_tied else 0.0
    return WidthScale(power, sizes.embedding, sizes.base_width)


def _uniform(bound: float) -> Init:
    return Init("uniform", bound / math.sqrt(3.0))


def _embedding(sizes: RnnSizes) -> ParameterSpec:
    """If tied, its multiplier follows the embedding width, its fan-in as the output layer."""
    multiplier = sizes.embedding / sizes.base_width if sizes.is_tied else 1.0
    return _spec(
        "embedding.weight",
        (sizes.classes, sizes.embedding),
        Role.EMBEDDING,
        Width(sizes.classes, sizes.embedding, multiplier),
        _uniform(EMBEDDING_BOUND * sizes.init_scale),
        mup_multiplier=_mup_multiplier(sizes, "embedding.weight"),
    )


def _cell(sizes: RnnSizes, name: str, entering: int) -> tuple[ParameterSpec, ...]:
    gates, bound = 4 * sizes.hidden, 1.0 / math.sqrt(sizes.hidden)
    into = Width(entering, gates, entering / sizes.base_width)
    around = Width(sizes.hidden, gates, sizes.hidden / sizes.base_width)
    has_norm, init = sizes.norm == "layer", _uniform(bound * sizes.init_scale)

    def matrix(part: str, width: Width) -> ParameterSpec:
        shape, role, full = (gates, width.fan_in), Role.HIDDEN_MATRIX, f"{name}.{part}.weight"
        scale = _mup_multiplier(sizes, full)
        return _spec(full, shape, role, width, init, is_normalised=has_norm, mup_multiplier=scale)

    if has_norm:
        matrices = matrix("input", into), matrix("recurrent", around)
        return (*matrices, *_norms(sizes, name, around))
    bias = _spec(f"{name}.input.bias", (gates,), Role.BIAS, into, _uniform(bound))
    return matrix("input", into), bias, matrix("recurrent", around)


def _norms(sizes: RnnSizes, name: str, width: Width) -> tuple[ParameterSpec, ...]:
    one, zero, gates = Init("constant", 1.0), Init("constant", 0.0), (4 * sizes.hidden,)
    small = Init("constant", RECURRENT_GAIN)
    return (
        _spec(f"{name}.input_norm.weight", gates, Role.NORM, width, one),
        _spec(f"{name}.input_norm.bias", gates, Role.BIAS, width, zero),
        _spec(f"{name}.recurrent_norm.weight", gates, Role.NORM, width, small),
        _spec(f"{name}.cell_norm.weight", (sizes.hidden,), Role.NORM, width, one),
        _spec(f"{name}.cell_norm.bias", (sizes.hidden,), Role.BIAS, width, zero),
    )


def _between(sizes: RnnSizes) -> tuple[ParameterSpec, ...]:
    if sizes.between == "none":
        return ()
    width = Width(sizes.hidden, sizes.hidden, sizes.hidden / sizes.base_width)
    one = Init("constant", 1.0)
    return tuple(
        _spec(f"between.{index}.weight", (sizes.hidden,), Role.NORM, width, one)
        for index in range(sizes.depth)
    )


def _output(sizes: RnnSizes) -> tuple[ParameterSpec, ...]:
    multiplier = sizes.hidden / sizes.base_width
    weight = _uniform(sizes.init_scale / math.sqrt(sizes.hidden))
    out = Width(sizes.hidden, sizes.classes, multiplier)
    narrow = Width(sizes.hidden, sizes.embedding, multiplier)
    specs = []
    if sizes.has_projection:
        name, shape = "projection.weight", (sizes.embedding, sizes.hidden)
        scale = _mup_multiplier(sizes, name)
        specs.append(_spec(name, shape, Role.HIDDEN_MATRIX, narrow, weight, mup_multiplier=scale))
    if not sizes.is_tied:
        shape = (sizes.classes, sizes.hidden)
        specs.append(_spec("output.weight", shape, Role.OUTPUT, out, weight))
    bias = Init("constant", 0.0)
    return (*specs, _spec("output.bias", (sizes.classes,), Role.BIAS, out, bias))
