"""A hand-written transformer in the style of nanoGPT, of the size of workload `lm`.

The same functions (RMSNorm, rotary positions, normalised queries and keys, squared ReLU, one matrix
for both embeddings) and the same attention call; query, key and value are one fused product. Only
the base variant's architecture. `models.py` compares its speed with the workload's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.lm.model import validate
from workloads.spec import Sizes


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.c_attn = nn.Linear(width, 3 * width, bias=False)
        self.q_norm = nn.RMSNorm(self.head_width, eps=1e-6)
        self.k_norm = nn.RMSNorm(self.head_width, eps=1e-6)
        self.c_proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, time, width = x.shape
        q, k, v = self.c_attn(x).split(width, dim=2)
        q, k, v = (p.view(batch, time, self.heads, self.head_width) for p in (q, k, v))
        q, k = rotate(self.q_norm(q), cos, sin), rotate(self.k_norm(k), cos, sin)
        y = functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True
        )
        y = y.transpose(1, 2).contiguous().view(batch, time, width)
        result: Tensor = self.c_proj(y)
        return result


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions on (batch, time, heads, head width)."""
    x1, x2 = x.chunk(2, dim=3)
    return torch.cat((x1 * cos - x2 * sin, x1 * sin + x2 * cos), dim=3)


class Block(nn.Module):
    """Attention and MLP with residuals."""

    def __init__(self, width: int, heads: int, mlp_width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.RMSNorm(width, eps=1e-6), nn.RMSNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.c_fc = nn.Linear(width, mlp_width, bias=False)
        self.c_proj = nn.Linear(mlp_width, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x), cos, sin)
        result: Tensor = x + self.c_proj(functional.relu(self.c_fc(self.ln_2(x))).square())
        return result


class Reference(nn.Module):
    """Tokens (batch, time) to logits (batch, time, classes)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        s = validate(sizes)
        self.head_width = s.head_width
        self.wte = nn.Embedding(s.classes, s.width)
        self.h = nn.ModuleList(Block(s.width, s.heads, s.mlp_width) for _ in range(s.depth))
        self.ln_f = nn.RMSNorm(s.width, eps=1e-6)
        self.lm_head = nn.Linear(s.width, s.classes, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens) * self.wte.embedding_dim**0.5
        steps = torch.arange(self.head_width // 2, device=x.device)
        rates = 10_000.0 ** (-2.0 * steps / self.head_width)
        angles = torch.outer(torch.arange(tokens.shape[1], device=x.device), rates)
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]
        for block in self.h:
            x = block(x, cos, sin)
        result: Tensor = self.lm_head(self.ln_f(x))
        return result
