"""Symmetric products: the whole product's values, quarters that mirror, matrices and stacks."""

from __future__ import annotations

import pytest
import torch

from submissions.common.symmetric_products import add_product, product


@pytest.mark.parametrize("shape", [(50, 70), (385, 40), (2, 384, 100), (3, 193, 193)])
def test_a_symmetric_product_is_the_whole_one(shape: tuple[int, ...]) -> None:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    once = product(x, x.mT)
    torch.testing.assert_close(once, x @ x.mT)
    expected = 0.9 * once + 0.1 * once @ once
    twice = add_product(once.clone(), once, once, beta=0.9, alpha=0.1)
    torch.testing.assert_close(twice, expected)
    assert shape[-2] < 192 or torch.equal(twice[..., :90, 200:], twice[..., 200:, :90].mT)


def test_what_is_written_over_is_not_looked_at() -> None:
    x = torch.ones(400, 3)
    out = torch.full((400, 400), torch.nan)
    assert torch.equal(add_product(out, x, x.mT, beta=0.0, alpha=1.0), torch.full((400, 400), 3.0))
