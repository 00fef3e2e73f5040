"""The product of a model's Hessian with its parameters, from both frameworks."""

from __future__ import annotations

import jax
import numpy as np
import torch

from tests.workloads.capturing import problem_of, tokens_of
from tests.workloads.parity import Arrays, Batch, Twin


def in_torch(twin: Twin, batch: Batch) -> Arrays:
    """Reverse over reverse."""
    problem, tokens = problem_of("torch", twin), tokens_of("torch", batch)
    values = {n: v.detach().requires_grad_() for n, v in problem.parameters.items()}
    loss = problem.evaluate(values, tokens).loss
    gradients = torch.autograd.grad(loss, list(values.values()), create_graph=True)
    along = sum((g * v.detach()).sum() for g, v in zip(gradients, values.values(), strict=True))
    product = torch.autograd.grad(along, list(values.values()))
    return {n: p.numpy() for n, p in zip(values, product, strict=True)}


def in_torch_forward(twin: Twin, batch: Batch) -> Arrays:
    """Forward over reverse."""
    problem, tokens = problem_of("torch", twin), tokens_of("torch", batch)
    values = {n: v.detach() for n, v in problem.parameters.items()}
    gradient = torch.func.grad(lambda p: problem.evaluate(p, tokens).loss)
    product = torch.func.jvp(gradient, (values,), (values,))[1]
    return {n: p.numpy() for n, p in product.items()}


def in_jax(twin: Twin, batch: Batch) -> Arrays:
    """Forward over reverse."""
    problem, tokens = problem_of("jax", twin), tokens_of("jax", batch)
    gradient = jax.grad(lambda p: problem.evaluate(p, tokens).loss)
    product = jax.jit(lambda p: jax.jvp(gradient, (p,), (p,))[1])(problem.parameters)
    return {n: np.asarray(p) for n, p in product.items()}
