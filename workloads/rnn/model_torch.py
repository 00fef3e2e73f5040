"""The recurrent language model in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.blocks_torch import Norm
from workloads.fused_torch import FusedModule
from workloads.rnn.model import EPSILON, RnnSizes, validate
from workloads.spec import Sizes


class Cell(FusedModule):
    """One LSTM layer over a sequence, starting from a zero state.

    `input` runs once on the whole sequence and `recurrent` once per time step, as modules whose
    hooks fire. If neither has hooks and a single derivative is enough (`is_fused`), torch's fused
    LSTM computes the same values from their weights. Cell states c of the plain operations are at
    least float32 for any product precision, because they accumulate over time.
    """

    def __init__(self, entering: int, sizes: RnnSizes) -> None:
        super().__init__()
        gates, hidden, self.has_norm = 4 * sizes.hidden, sizes.hidden, sizes.norm == "layer"
        self.input = nn.Linear(entering, gates, bias=not self.has_norm, dtype=torch.float32)
        self.recurrent = nn.Linear(hidden, gates, bias=False, dtype=torch.float32)
        if self.has_norm:
            self.input_norm = nn.LayerNorm(gates, EPSILON)
            self.recurrent_norm = nn.LayerNorm(gates, EPSILON, bias=False)
            self.cell_norm = nn.LayerNorm(hidden, EPSILON)

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, time, in) to h, (batch, time, hidden)."""
        is_plain = self.has_norm or not self.is_fused
        if is_plain or has_hooks(self.input) or has_hooks(self.recurrent):
            return self._loop(values)
        return self._run_fused(values)

    def _run_fused(self, values: Tensor) -> Tensor:
        dtype, kind = product_dtype(values), values.device.type
        weight, bias = self.recurrent.weight, self.input.bias
        zeros = values.new_zeros(1, len(values), weight.shape[1], dtype=dtype)
        flat = [self.input.weight, weight, bias, torch.zeros_like(bias)]
        # Autocast gives cuDNN's kernel float16 on CUDA, whichever precision it is asked for.
        with torch.autocast(kind, enabled=False):
            outputs, _, _ = torch.lstm(
                values.to(dtype),
                (zeros, zeros),
                [part.to(dtype) for part in flat],
                has_biases=True,
                num_layers=1,
                dropout=0.0,
                train=self.training,
                bidirectional=False,
                batch_first=True,
            )
        return outputs

    def _loop(self, values: Tensor) -> Tensor:
        entering = self.input(values)
        if self.has_norm:
            entering = self.input_norm(entering)
        hidden = entering.new_zeros(len(values), self.recurrent.in_features)
        memory = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
        outputs = []
        for gates in entering.unbind(1):
            hidden, memory = self._step(gates, hidden, memory)
            outputs.append(hidden)
        return torch.stack(outputs, 1)

    def _step(self, gates: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        around = self.recurrent(hidden)
        if self.has_norm:
            around = self.recurrent_norm(around)
        enter, keep, new, leave = (gates + around).to(memory.dtype).chunk(4, -1)
        memory = keep.sigmoid() * memory + enter.sigmoid() * new.tanh()
        cell = self.cell_norm(memory) if self.has_norm else memory
        return (leave.sigmoid() * cell.tanh()).to(gates.dtype), memory


def product_dtype(values: Tensor) -> torch.dtype:
    """The precision of products with some values: autocast's where it is on, else their own."""
    kind = values.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else values.dtype


class TiedOutput(nn.Module):
    """An output layer with its own bias that receives the embedding matrix in each pass."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(classes, dtype=torch.float32))

    def forward(self, values: Tensor, embedding: Tensor) -> Tensor:
        """Map (batch, time, embedding) to logits (batch, time, classes)."""
        return functional.linear(values, embedding, self.bias)


class Recurrent(nn.Module):
    """The language model: tokens (batch, time) to logits (batch, time, classes)."""

    def __init__(self, sizes: RnnSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.embedding = nn.Embedding(sizes.classes, sizes.embedding, dtype=torch.float32)
        self.cells = nn.ModuleList(Cell(entering, sizes) for _, entering in sizes.cells)
        norms = 0 if sizes.between == "none" else sizes.depth
        self.between = nn.ModuleList(
            Norm(sizes.hidden, sizes.between, EPSILON) for _ in range(norms)
        )
        if sizes.has_projection:
            self.projection = nn.Linear(
                sizes.hidden, sizes.embedding, bias=False, dtype=torch.float32
            )
        self.output = (
            TiedOutput(sizes.classes)
            if sizes.is_tied
            else nn.Linear(sizes.hidden, sizes.classes, dtype=torch.float32)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Predict each position's next token from the tokens up to it."""
        values = self._drop_out(self.embedding(tokens))
        for index, (cell, (_, width)) in enumerate(zip(self.cells, self.sizes.cells, strict=True)):
            hidden = cell(values)
            if self.between:
                hidden = self.between[index](hidden)
            hidden = self._drop_out(hidden)
            values = values + hidden if self.sizes.is_residual_at(width) else hidden
        if self.sizes.has_projection:
            values = self.projection(values)
        weights = (self.embedding.weight,) if self.sizes.is_tied else ()
        logits: Tensor = self.output(values, *weights)
        return logits

    def _drop_out(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.sizes.dropout, self.training)


def has_hooks(module: nn.Module) -> bool:
    """Whether calling the module runs anything besides its own forward."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def build(sizes: Sizes) -> nn.Module:
    """The model on the default device, with parameters named and ordered as in `model.py`.

    Values are torch's default initialisation; the referee replaces them with its own.
    """
    return Recurrent(validate(sizes))
