"""AdamW at a parametrisation's rates is AdamW in other coordinates."""

from __future__ import annotations

import torch
from torch.optim import AdamW

from submissions.common.optimizers import adamw_at

POINT = {
    "learning_rate": 0.02,
    "adam_beta1": 0.9,
    "adam_beta2": 0.99,
    "epsilon": 1e-3,
    "weight_decay": 0.1,
}


def test_twenty_steps_are_those_of_torch_on_what_the_rate_multiplies() -> None:
    rates = {"a": 1.0, "b": 0.25}
    random = torch.Generator().manual_seed(0)
    live = {n: torch.nn.Parameter(torch.randn(5, 3, generator=random)) for n in rates}
    inner = {n: torch.nn.Parameter(live[n].detach() / r) for n, r in rates.items()}
    ours = adamw_at(live, rates, POINT, "learning_rate")
    theirs = AdamW(inner.values(), lr=0.02, betas=(0.9, 0.99), eps=1e-3, weight_decay=0.1)
    for _ in range(20):
        for name, rate in rates.items():
            gradient = torch.randn(5, 3, generator=random)
            live[name].grad, inner[name].grad = gradient, rate * gradient
        ours.step()
        theirs.step()
    for name, rate in rates.items():
        torch.testing.assert_close(live[name], rate * inner[name], rtol=1e-6, atol=1e-6)
