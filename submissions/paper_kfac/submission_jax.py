"""KFAC as in its source, in JAX; see `submission.py` for the update.

Deviation from `submission.py`: alpha and mu solve their two equations in float32, by Cramer's rule
for directions scaled to one length; mu is 0 where those are parallel to within rounding.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Batch
from submissions.common.batch_loss_jax import FixedLoss, flatten
from submissions.common.compiled_methods_jax import Carry, CompiledMethod, Now, trace_passes
from submissions.common.kronecker_factors_jax import accumulate, rows, uses
from submissions.common.layers_jax import Layer
from submissions.common.methods_jax import State, Values, choose
from submissions.common.products_jax import Linearisation, Product

from .inverses_jax import INVERSES, Factors, Parts, apply_inverse

FIRST_STEPS = 3
"""The number of first steps at each of which the inverse is recomputed."""
OMEGA = 0.95
"""The base of the factors on lambda and gamma, per step."""
EPSILON = 2.0**-23
"""Of float32."""
GOOD, BAD = 0.75, 0.25
"""The ratios of gain to model beyond which lambda changes."""


class Proposal(NamedTuple):
    """An update, the quadratic model's value at it, and its damping and inverse."""

    delta: Array
    model: Array
    gamma: Array
    parts: Parts


class Model(NamedTuple):
    """The quadratic model M, and the last update with its image under M's matrix."""

    gradient: Array
    product: Product
    """v -> (F + (lambda + eta_w) I) v."""
    update: Array
    image: Array


class Submission(CompiledMethod):
    """The method of Martens and Grosse."""

    def begin(self) -> State:
        """Check the point and the model; start with factors of zero and no update."""
        problem, point = self.problem, self.point
        if point["inverse"] not in INVERSES:
            raise UnknownNameError("inverse", point["inverse"], INVERSES)
        self._refuse_others()
        self.layers = [Layer(spec, problem.specs[spec.weight].shape) for spec in problem.layers]
        shapes = [layer.matrix_shape for layer in self.layers]
        factors: Factors = {
            "a": [jnp.zeros((width, width)) for _, width in shapes],
            "s": [jnp.zeros((out, out)) for out, _ in shapes],
            "a_next": [jnp.zeros((one[1], two[1])) for one, two in pairwise(shapes)],
            "s_next": [jnp.zeros((one[0], two[0])) for one, two in pairwise(shapes)],
        }
        damping = float(point["damping"])
        gamma = jnp.asarray(math.sqrt(damping + float(point["weight_decay"])), jnp.float32)
        parts = jax.eval_shape(INVERSES[point["inverse"]], factors, gamma)
        return {
            "factors": factors,
            "parts": jax.tree.map(lambda part: jnp.zeros(part.shape, part.dtype), parts),
            "update": jnp.zeros_like(flatten(problem.parameters)[0]),
            "lambda": jnp.asarray(damping, jnp.float32),
            "gamma": gamma,
        }

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """One update; the loss is that before it, without the decay's part."""
        (batch,), steps, decay = batches, now.number + 1, float(self.point["weight_decay"])
        pass_key, label_key = jax.random.split(now.key)
        loss_of = FixedLoss(self.problem, batch, pass_key)
        line, (vector, unflatten) = (
            Linearisation(loss_of, carry.parameters),
            flatten(carry.parameters),
        )
        own = flatten(self.clip_gradients(unflatten(line.gradient())))[0]
        gradient = own + decay * vector
        state = {**carry.state, "factors": self._observe(carry, batch, label_key, now)}
        damping, fisher = state["lambda"] + decay, line.gauss_newton()
        model = _model(gradient, lambda v: fisher(v) + damping * v, state["update"])
        best = self._propose(model, state, steps)
        delta = best.delta * (self.point["learning_rate"] * now.factor)

        def objective(vector: Array) -> Array:
            return loss_of.value(unflatten(vector)) + 0.5 * decay * (vector @ vector)

        state = {
            **state,
            "gamma": best.gamma,
            "parts": best.parts,
            "update": delta,
            "lambda": jax.lax.cond(
                steps % int(self.point["adapt_every"]) == 0,
                lambda: self._adapt(
                    state["lambda"], objective(vector + best.delta) - objective(vector), best.model
                ),
                lambda: state["lambda"],
            ),
        }
        is_finite = jnp.isfinite(gradient).all()
        parameters = unflatten(jnp.where(is_finite, vector + delta, jnp.nan))
        return Carry(parameters, choose(is_finite, state, carry.state), carry.buffers), line.loss

    def passes(self, batches: tuple[Batch[Array], ...]) -> tuple[int, int, int]:
        """Those of the gradient, the factors, the products and, where lambda adapts, two values."""
        (batch,), steps = batches, self.steps + 1
        products = 4 if steps % int(self.point["refresh_every"]) == 0 else 2
        values = 2 if steps % int(self.point["adapt_every"]) == 0 else 0
        forward = 2 + products + values
        return forward, 2 + products, forward * len(batch.targets)

    def _propose(self, model: Model, state: State, steps: Array | int) -> Proposal:
        """The best of the updates, one for each damping that is tried, several where a refresh is
        due.
        """
        period = int(self.point["refresh_every"])
        omega = OMEGA ** (period / 2)
        make, gamma = INVERSES[self.point["inverse"]], state["gamma"]
        propose = partial(self._proposal, model)

        def reuse_inverse() -> Proposal:
            return propose(gamma, state["parts"])

        def refresh_inverse() -> Proposal:
            return propose(gamma, make(state["factors"], gamma))

        def try_dampings() -> Proposal:
            best = refresh_inverse()
            for other in (gamma * omega, gamma / omega):
                new = propose(other, make(state["factors"], other))
                best = choose(new.model < best.model, new, best)
            return best

        kind = jnp.where(steps % period == 0, 2, jnp.where(steps > FIRST_STEPS, 0, 1))
        best: Proposal = jax.lax.switch(kind, [reuse_inverse, refresh_inverse, try_dampings])
        return best

    def _proposal(self, model: Model, gamma: Array, parts: Parts) -> Proposal:
        """The combination of the preconditioned gradient and the last update that minimises M."""
        direction = -self._vector(apply_inverse(parts, self._matrices(model.gradient)))
        directions = jnp.stack([direction, model.update])
        images = jnp.stack([model.product(direction), model.image])
        inner, slopes = directions @ images.T, directions @ model.gradient
        weights = -_solve(inner, slopes)
        is_finite = jnp.isfinite(inner).all()
        delta = jnp.where(is_finite, weights @ directions, jnp.nan)
        value = jnp.where(is_finite, 0.5 * (weights @ slopes), jnp.inf)
        return Proposal(delta, value, gamma, parts)

    def _adapt(self, damping: Array, gain: Array, model: Array) -> Array:
        """lambda, adapted to the ratio of the actual change of h to the model's."""
        omega = OMEGA ** int(self.point["adapt_every"])
        ratio = jnp.where(model == 0.0, jnp.nan, gain / model)
        is_bad = ~(ratio >= BAD)
        return damping * jnp.where(ratio > GOOD, omega, jnp.where(is_bad, 1 / omega, 1.0))

    def _observe(self, carry: Carry, batch: Batch[Array], key: Array, now: Now) -> Factors:
        """All factors with inputs and output gradients under sampled targets."""
        with trace_passes(self.problem, carry.buffers, now.key):
            _, _, captures = self.problem.capture(carry.parameters, batch, random=key)
        pairs = [
            rows(uses(layer.spec, layer.weight, captures[layer.spec.name]), len(batch.targets))
            for layer in self.layers
        ]
        keep = jnp.minimum(1.0 - 1.0 / (now.number + 1), float(self.point["factor_beta"]))
        old: Factors = carry.state["factors"]

        def average_product(factor: Array, one: Array, other: Array) -> Array:
            return keep * factor + (1.0 - keep) * (one.T @ other)

        inputs, gradients = [x for x, _ in pairs], [y for _, y in pairs]
        return {
            "a": [accumulate(*one, keep) for one in zip(old["a"], inputs, strict=True)],
            "s": [accumulate(*one, keep) for one in zip(old["s"], gradients, strict=True)],
            "a_next": [
                average_product(f, *two)
                for f, two in zip(old["a_next"], pairwise(inputs), strict=True)
            ],
            "s_next": [
                average_product(f, *two)
                for f, two in zip(old["s_next"], pairwise(gradients), strict=True)
            ],
        }

    def _matrices(self, vector: Array) -> list[Array]:
        """A vector over all parameters as a matrix for each layer."""
        values = flatten(self.parameters)[1](vector)
        return [layer.matrix(values) for layer in self.layers]

    def _vector(self, matrices: list[Array]) -> Array:
        """The inverse of `_matrices`."""
        values: Values = {}
        for layer, matrix in zip(self.layers, matrices, strict=True):
            values |= layer.values(matrix)
        return flatten(values)[0]

    def _refuse_others(self) -> None:
        layers = self.problem.layers
        layer_names = {name for layer in layers for name in (layer.weight, layer.bias)}
        other = [name for name in self.problem.specs if name not in layer_names]
        odd = [one.name for one in layers if one.kind != "linear" or one.shared_over]
        if other or odd:
            what = f"parameter '{other[0]}' is in none" if other else f"layer '{odd[0]}' is not one"
            raise HarnessError(
                f"paper_kfac supports only chains of fully connected layers; {what}",
                "use kfac, which trains other parameters with AdamW",
            )


def _model(gradient: Array, product: Product, update: Array) -> Model:
    return Model(gradient, product, update, product(update))


def _solve(inner: Array, slopes: Array) -> Array:
    """x of inner x = slopes, (2,); (slopes_0 / inner_00, 0) where inner has rank one."""
    sizes = jnp.sqrt(jnp.diagonal(inner))
    is_first = sizes[1] == 0.0  # the first update has no predecessor
    scale = jnp.where(sizes > 0.0, sizes, 1.0)
    c, u = inner[0, 1] / (scale[0] * scale[1]), slopes / scale
    rest = 1.0 - c**2
    is_alone = is_first | (rest < EPSILON)
    both = jnp.stack([u[0] - c * u[1], u[1] - c * u[0]]) / jnp.where(is_alone, 1.0, rest)
    return jnp.where(is_alone, jnp.stack([u[0], jnp.zeros(())]), both) / scale
