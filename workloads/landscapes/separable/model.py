"""Logistic regression on the separable problem of Wilson et al. (2017), section 3.3.

    logits = W x,   W (2, inputs), W_0 = 0

An example of class y = +-1 has the features

    x_1 = y,   x_2 = x_3 = 1,   and one (y = 1) or all (y = -1) of its own five features are 1

With s = sign(X^T y), X s = 4 y. So the gradient at every multiple of s is a multiple of X^T y with
equal signs, and a method whose first step is s stays on s, which assigns every unseen example to
y = 1: w_1 y + w_2 + w_3 = y + 2 > 0. Gradient descent stays in the span of the examples, where
|w_1| > w_2 + w_3 for these sample sizes. Weights of features that no training example has stay 0;
held-out examples have none of them. Sizes:

    inputs    3 + 5 times the number of training examples
    classes   2
"""

from __future__ import annotations

from typing import Literal

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import validate_sizes
from workloads.spec import Count, Frozen, Sizes


class SeparableSizes(Frozen):
    """The workload's validated `sizes`."""

    inputs: Count
    classes: Literal[2] = 2


def validate(sizes: Sizes) -> SeparableSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return validate_sizes(SeparableSizes, sizes, "separable")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """W, (2, inputs), zero at the start."""
    width = validate(sizes).inputs
    zero = Init("constant", 0.0)
    return (ParameterSpec("output.weight", (2, width), Role.OUTPUT, width, 2, zero),)


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """None."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The one linear layer."""
    del sizes
    return (LayerSpec("output", "linear", "output.weight"),)
