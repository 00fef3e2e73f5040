"""Layerwise preconditioning in JAX, estimated from each layer's inputs and output gradients."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import UnknownNameError
from harness.submission.interface import Batch, Hyperparameters
from harness.submission.parametrisation import Scaling, scalings
from submissions.common.compiled_methods_jax import (
    Carry,
    CompiledMethod,
    Now,
    trace_passes,
    train_pass,
)
from submissions.common.factored_layers import preconditionable
from submissions.common.kronecker_factors_jax import Uses, uses
from submissions.common.layers_jax import Layer, rest_of
from submissions.common.methods_jax import TINY, Factor, LiveProblem, State, Values, choose

FISHERS = ("empirical", "sampled")
Layers = dict[str, State]
"""The state of each layer, by its name."""
Pass = tuple[Array, Values, Values, Layers]
"""Loss, gradients, running statistics, and the layers with their statistics."""


class LayerwiseMethod(CompiledMethod):
    """KFAC's training loop; related methods implement the four abstract methods, all of them pure.

    Hyperparameters as for `layerwise.LayerwiseSubmission`.
    """

    # Passes move the running statistics, and the live parameters are what is evaluated.
    averages_weights = False
    parametrisation_rules = ("kfac",)

    @abstractmethod
    def start(self, layer: Layer) -> State:
        """A layer's state before the first step."""

    @abstractmethod
    def observe(
        self, layer: Layer, state: State, usage: Uses, targets: int, is_refreshed: Array | bool
    ) -> State:
        """The state with the statistics of one batch with this many targets."""

    @abstractmethod
    def refresh(self, layer: Layer, state: State) -> State:
        """The state with its expensive quantities (inverses, eigenbases) recomputed."""

    @abstractmethod
    def direction(self, layer: Layer, state: State, gradient: Array) -> tuple[Array, State]:
        """The preconditioned gradient, and the state; meaningless before the first refresh."""

    def setup(self, problem: LiveProblem, hyperparameters: Hyperparameters) -> None:
        """Split the parameters into preconditioned layers and the rest."""
        if hyperparameters["fisher"] not in FISHERS:
            raise UnknownNameError("fisher", hyperparameters["fisher"], FISHERS)
        super().setup(problem, hyperparameters)

    def begin(self) -> State:
        """The state of every layer, and AdamW's of all other parameters."""
        problem, point = self.problem, self.point
        specs = problem.specs
        scales = scalings(specs, point)
        self.layers = [
            Layer(spec, specs[spec.weight].shape, scales.get(spec.weight, Scaling()).damping)
            for spec in preconditionable(problem.layers, specs, int(point["max_dim"]))
        ]
        rates = {name: scaling.rate for name, scaling in scalings(specs, point, "adam").items()}
        self.rest = rest_of(specs, self.layers, point, rates)
        layers = {
            layer.spec.name: {**self.start(layer), "momentum": jnp.zeros(layer.matrix_shape)}
            for layer in self.layers
        }
        return {"layers": layers, "rest": self.rest.begin(problem.parameters)}

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """Train on one batch."""
        (batch,) = batches
        loss, gradients, buffers, layers = jax.lax.cond(
            now.number % self.point["observe_every"] == 0,
            self._pass_with_statistics if self.layers else self._pass,
            self._pass,
            (carry, batch, now),
        )
        gradients = self.clip_gradients(gradients)
        for place, layer in enumerate(self.layers):
            name = layer.spec.name
            layers[name] = jax.lax.cond(
                self._is_due(place, now.number),
                partial(self.refresh, layer),
                lambda state: state,
                layers[name],
            )
        parameters, layers = self._move_layers(carry.parameters, gradients, layers, now)
        rest, rest_state = self.rest.move(
            carry.parameters, gradients, carry.state["rest"], now.factor
        )
        state = {"layers": layers, "rest": rest_state}
        return Carry({**parameters, **rest}, state, buffers), loss

    def passes(self, batches: tuple[Batch[Array], ...]) -> tuple[int, int, int]:
        """One of each, and one more where targets are sampled."""
        forward, backward, examples = super().passes(batches)
        is_second = self.point["fisher"] == "sampled" and bool(self.layers)
        count = 1 + (is_second and self.steps % self.point["observe_every"] == 0)
        return count * forward, count * backward, count * examples

    def _pass(self, operands: tuple[Carry, Batch[Array], Now]) -> Pass:
        carry, batch, now = operands
        return *train_pass(self.problem, carry, batch, now.key), carry.state["layers"]

    def _pass_with_statistics(self, operands: tuple[Carry, Batch[Array], Now]) -> Pass:
        """The same, and each layer's statistics under true or sampled targets."""
        carry, batch, now = operands
        is_sampled = self.point["fisher"] == "sampled"
        names = tuple(layer.spec.name for layer in self.layers)
        with trace_passes(self.problem, carry.buffers, now.key):
            evaluation, gradients, captures = self.problem.capture(
                carry.parameters,
                batch,
                random=jax.random.fold_in(now.key, 2) if is_sampled else None,
                names=names,
            )
            buffers = self.problem.buffers
        loss = evaluation.loss
        if is_sampled:
            loss, gradients, buffers = train_pass(self.problem, carry, batch, now.key)
        layers = dict(carry.state["layers"])
        for place, layer in enumerate(self.layers):
            name = layer.spec.name
            usage = uses(layer.spec, layer.weight, captures[name])
            is_refreshed = now.number > self._first_refresh(place)
            layers[name] = self.observe(
                layer, layers[name], usage, batch.targets.size, is_refreshed
            )
        return loss, gradients, buffers, layers

    def _first_refresh(self, place: int) -> int:
        """The step before which a layer is refreshed first, as in `staggering.select_due`."""
        return min(place, place * int(self.point["refresh_every"]) // len(self.layers))

    def _is_due(self, place: int, number: Array | int) -> Array:
        """`staggering.select_due`, eagerly, of one layer at a traced step."""
        period = int(self.point["refresh_every"])
        offset = place * period // len(self.layers)
        is_first_period = number < period
        return jnp.where(
            is_first_period, number == self._first_refresh(place), (number - offset) % period == 0
        )

    def _move_layers(
        self, parameters: Values, gradients: Values, layers: Layers, now: Now
    ) -> tuple[Values, Layers]:
        """Update the layers that are ready, within the trust region."""
        rate, point = self.point["learning_rate"] * now.factor, self.point
        steps, states, products = {}, {}, []
        for place, layer in enumerate(self.layers):
            name, gradient = layer.spec.name, layer.matrix(gradients)
            steps[name], states[name] = self.direction(layer, layers[name], gradient)
            is_ready = now.number >= self._first_refresh(place)
            products.append(jnp.where(is_ready, (gradient * steps[name]).sum(), 0.0))
        shrink = _shrinkage(products, rate, point["trust"])
        parameters, layers = dict(parameters), dict(layers)
        for place, layer in enumerate(self.layers):
            name, is_ready = layer.spec.name, now.number >= self._first_refresh(place)
            momentum = point["momentum"] * states[name]["momentum"] + shrink * steps[name]
            new_values = layer.move(parameters, momentum, rate, point["weight_decay"])
            parameters |= choose(is_ready, new_values, {n: parameters[n] for n in new_values})
            layers[name] = choose(is_ready, {**states[name], "momentum": momentum}, layers[name])
        return parameters, layers


def _shrinkage(products: list[Array], rate: Factor, trust: float) -> Array:
    """min(1, sqrt(kappa / (eta^2 <g, d>))), from <g, d> of each layer; see `layerwise`."""
    size = jnp.abs(sum(products, jnp.zeros(()))) * rate**2
    return jnp.minimum(jnp.sqrt(trust / jnp.maximum(size, TINY)), 1.0)
