"""The transformer in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from workloads.blocks_torch import ACTIVATIONS, Norm
from workloads.fused_torch import FusedModule
from workloads.lm.model import EPSILON, GATES, ROTARY_BASE, LmSizes, validate
from workloads.spec import Sizes

Rotation = tuple[Tensor, Tensor]
"""Cosines and signed sines, (time, 1, head width)."""
linear = partial(nn.Linear, bias=False, dtype=torch.float32)


class Block(FusedModule):
    """Attention and MLP, each with normalisation and residual connection."""

    def __init__(self, sizes: LmSizes) -> None:
        super().__init__()
        self.sizes = sizes
        width = sizes.width
        self.attention_norm = Norm(width, sizes.norm, EPSILON)
        self.query, self.key, self.value = (linear(width, width) for _ in range(3))
        if sizes.query_norm:
            self.query_norm = Norm(sizes.head_width, "rms", EPSILON)
            self.key_norm = Norm(sizes.head_width, "rms", EPSILON)
        self.output = linear(width, width)
        if sizes.has_mlp_norm:
            self.mlp_norm = Norm(width, sizes.norm, EPSILON)
        self.activation = ACTIVATIONS[GATES.get(sizes.activation, sizes.activation)]()
        if sizes.is_gated:
            self.gate = linear(width, sizes.mlp_width)
        self.up = linear(width, sizes.mlp_width)
        self.down = linear(sizes.mlp_width, width)

    def forward(self, values: Tensor, rotation: Rotation) -> Tensor:
        """Map the residual stream (batch, time, width) to the next block's."""
        if self.sizes.placement == "post":
            values = self.attention_norm(values + self._attend(values, rotation))
            result: Tensor = self.mlp_norm(values + self._transform(values))
            return result
        entering = self.attention_norm(values)
        if self.sizes.placement == "parallel":
            return values + self._attend(entering, rotation) + self._transform(entering)
        values = values + self._attend(entering, rotation)
        return values + self._transform(self.mlp_norm(values))

    def _attend(self, values: Tensor, rotation: Rotation) -> Tensor:
        heads = (self.sizes.heads, self.sizes.head_width)
        query, key, value = (
            matrix(values).unflatten(-1, heads) for matrix in (self.query, self.key, self.value)
        )
        if self.sizes.query_norm:
            query, key = self.query_norm(query), self.key_norm(key)
        query, key = rotate(query, rotation), rotate(key, rotation)
        query, key = query.to(value.dtype), key.to(value.dtype)
        with nullcontext() if self.is_fused else sdpa_kernel(SDPBackend.MATH):
            context = functional.scaled_dot_product_attention(
                query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), is_causal=True
            )
        result: Tensor = self.output(context.transpose(1, 2).flatten(2))
        return result

    def _transform(self, values: Tensor) -> Tensor:
        hidden = self.up(values)
        if self.sizes.is_gated:
            hidden = self.activation(self.gate(values)) * hidden
        else:
            hidden = self.activation(hidden)
        result: Tensor = self.down(hidden)
        return result


class Transformer(nn.Module):
    """The language model: tokens (batch, time) to logits (batch, time, classes)."""

    def __init__(self, sizes: LmSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.embedding = nn.Embedding(sizes.classes, sizes.width, dtype=torch.float32)
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.depth))
        if sizes.has_final_norm:
            self.final_norm = Norm(sizes.width, sizes.norm, EPSILON)
        if not sizes.is_tied:
            self.output = linear(sizes.width, sizes.classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Predict each position's next token from the tokens up to it."""
        values = self.embedding(tokens) * math.sqrt(self.sizes.width)
        rotation = rotation_of(tokens.shape[1], self.sizes.head_width, values)
        for block in self.blocks:
            values = block(values, rotation)
        if self.sizes.has_final_norm:
            values = self.final_norm(values)
        if self.sizes.is_tied:
            return functional.linear(values, self.embedding.weight)
        logits: Tensor = self.output(values)
        return logits


def rotation_of(time: int, width: int, like: Tensor) -> Rotation:
    """Cosines and signed sines of the rotary embedding, with the device and dtype of `like`."""
    half = torch.arange(width // 2, dtype=torch.float32, device=like.device)
    positions = torch.arange(time, dtype=torch.float32, device=like.device)
    angles = positions[:, None] * ROTARY_BASE ** (-2.0 * half / width)
    cosines, sines = angles.cos(), angles.sin()
    signed_sines = torch.cat([-sines, sines], 1)[:, None]
    return torch.cat([cosines, cosines], 1)[:, None].to(like.dtype), signed_sines.to(like.dtype)


def rotate(values: Tensor, rotation: Rotation) -> Tensor:
    """Apply rotary embeddings to queries or keys (batch, time, heads, head width).

    Entry i is paired with entry i + width / 2; rolling by half the width aligns each entry with its
    partner, and the sines carry the sign.
    """
    cosines, sines = rotation
    return values * cosines + values.roll(values.shape[-1] // 2, -1) * sines


def build(sizes: Sizes) -> nn.Module:
    """The model on the default device, with parameters named and ordered as in `model.py`.

    Values are torch's default initialisation; the referee replaces them with its own.
    """
    return Transformer(validate(sizes))
