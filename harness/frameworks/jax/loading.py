"""Load a jax submission of any kind: an optax function, a `build` function, a class."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import cast

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.sharding import NamedSharding
from optax.contrib import ScheduleFreeState, schedule_free_eval_params

from harness.core.errors import HarnessError
from harness.frameworks.jax.problem import JaxProblem, jax_problem, move_buffers
from harness.frameworks.jax.step_wrapper import (
    Place,
    RuledState,
    looked_ahead,
    place_of,
    with_rules,
)
from harness.frameworks.jax.wrapper import JaxArithmetic, OptimizerWrapper, Values, prepare_class
from harness.submission.entry import Build, arguments, describe_return
from harness.submission.interface import (
    SCHEDULE_FORM,
    Batch,
    Built,
    Hyperparameters,
    Problem,
    Stream,
)
from harness.submission.loading import DEFAULT_HORIZON, Loader
from harness.submission.parametrisation import check_rule
from harness.submission.read_point import ReadPoint
from harness.submission.state import (
    StateDict,
    arrays_of,
    count_of,
    leaves_of,
    load_schedule_state,
    schedule_state,
    state_of,
)
from harness.submission.step_rules import StepRules, progress_of, refuse_rules, step_rules

Step = Callable[..., tuple[Values, optax.OptState, Values, Array]]
"""The type of the function that `_train_step` returns."""

jax.tree_util.register_pytree_node(  # as any dictionary, which an author may pass to what is traced
    ReadPoint,
    lambda point: (tuple(point[name] for name in sorted(point)), tuple(sorted(point))),
    lambda names, values: ReadPoint(dict(zip(names, values, strict=True))),
)


def assign(problem: Problem[Array], values: Mapping[str, Array]) -> None:
    """Replace the values of the problem's parameters."""
    problem = jax_problem(problem)
    problem.parameters = {
        name: jax.device_put(jnp.array(values[name]), problem.everywhere) for name in problem.specs
    }


class OptimizerSubmission:
    """A submission made of an optax transformation and an optional schedule.

    Gradient and update are compiled as one function. The schedule's factor at the current fraction
    of the horizon multiplies the whole update, decoupled weight decay included.
    """

    def __init__(self, build: Build, place: str, rules: Collection[str]) -> None:
        self._build = build
        self._place = place
        self._rules = rules
        self._parameters: dict[str, Array] = {}
        self._state: optax.OptState
        self._passes = 0

    @property
    def averages_weights(self) -> bool:
        """Whether the transformation has separate evaluation parameters, such as an average."""
        return self._parts.eval_parameters is not None

    def setup(self, problem: Problem[Array], hyperparameters: Hyperparameters) -> None:
        """Build the transformation and its state."""
        self._problem = problem = jax_problem(problem)
        check_rule(hyperparameters, self._rules)
        self._wrapper = OptimizerWrapper(problem, hyperparameters)
        self._parts = _whole(self._build(problem, hyperparameters))
        if not isinstance(self._parts.optimizer, optax.GradientTransformation):
            raise HarnessError(
                f"{self._place}: it {describe_return(self._parts.optimizer)}",
                "it must return an optax.GradientTransformation, or a pair of one and a schedule: "
                f"{SCHEDULE_FORM}",
            )
        self._schedule = self._parts.schedule
        if self._schedule is not None and not callable(self._schedule):
            raise HarnessError(
                f"{self._place}: build's schedule is {type(self._schedule).__name__}",
                f"it must be {SCHEDULE_FORM}",
            )
        self._step_rules = step_rules(problem.specs, hyperparameters, self._schedule)
        transformation = self._wrapper(self._parts.optimizer)
        if self._step_rules is not None:
            transformation = with_rules(transformation, self._step_rules, self._parts.takes_factor)
        self._point = hyperparameters
        self._factor: float | None = None
        self._horizon = float(hyperparameters.get("horizon", DEFAULT_HORIZON))
        state = transformation.init(problem.parameters)
        if self._parts.eval_parameters is None and _schedule_free_state(state):
            self._parts = replace(self._parts, eval_parameters=_schedule_free_average)
        if self.averages_weights or self._parts.keeps_iterates:
            refuse_rules(hyperparameters, f"{self._place} keeps its own iterates")
        self._place_on_device(problem.parameters, state)
        self._train = _train_step(
            problem, transformation, self._parts.takes_factor, self._step_rules
        )
        eval_parameters = self._parts.eval_parameters
        self._eval_parameters = eval_parameters and jax.jit(
            partial(self._wrapper.eval_parameters, eval_parameters)
        )

    def step(self, stream: Stream[Array]) -> Array:
        """One batch, one update; returns the loss before it, whose computation may be pending."""
        batch = stream.next()
        loss: Array
        problem = self._problem
        spent_fraction = problem.budget.progress(self._horizon)
        progress = progress_of(self._schedule, spent_fraction, self._step_rules)
        if self._schedule is not None:
            self._factor = progress.factor
        self._passes += 1
        self._parameters, self._state, problem.buffers, loss = self._train(
            self._parameters,
            self._state,
            problem.buffers,
            batch,
            factor=self._factor,
            number=self._passes,
            place=None if self._step_rules is None else place_of(progress),
        )
        problem.note_passes(1, 1, batch.inputs.shape[0])
        return loss

    def eval_parameters(self) -> Mapping[str, Array]:
        """The live parameters, or the transformation's evaluation parameters."""
        if self._eval_parameters is None:
            return self._parameters
        eval_parameters: Mapping[str, Array] = self._eval_parameters(self._state, self._parameters)
        return eval_parameters

    def learning_rate(self) -> float | None:
        """The learning rate times the schedule's latest factor."""
        rate: float | None = self._point.get("learning_rate")
        if rate is None or self._factor is None:
            return rate
        return rate * self._factor

    def state_dict(self) -> StateDict[Array]:
        """The parameters, the leaves of the transformation's state, and the schedule's state."""
        return {
            "optimizer": jax.tree.leaves(self._state),
            "parameters": self._parameters,
            "passes": self._passes,
            "schedule": schedule_state(self._schedule),
        }

    def load_state_dict(self, state: StateDict[Array]) -> None:
        """Restore all of these."""
        self._passes = count_of(state, "passes")
        load_schedule_state(self._schedule, state_of(state, "schedule"))
        structure, leaves = jax.tree.structure(self._state), leaves_of(state, "optimizer")
        tree = jax.tree.unflatten(structure, leaves)
        self._place_on_device(arrays_of(state, "parameters"), tree)

    def _place_on_device(self, parameters: Mapping[str, Array], state: optax.OptState) -> None:
        """Place arrays explicitly, as a step's results are; else the second step recompiles."""
        copies = {name: jnp.copy(value) for name, value in parameters.items()}
        self._parameters = jax.device_put(copies, self._problem.everywhere)
        self._state = jax.device_put(state, self._problem.everywhere)


def _whole(result: object) -> Built:
    """The result of `build` as a `Built`; an optax transformation is itself a named tuple."""
    if isinstance(result, Built):
        return result
    if isinstance(result, tuple) and not isinstance(result, optax.GradientTransformation):
        return Built(*result)
    return Built(result)


def _schedule_free_state(state: object) -> ScheduleFreeState | None:
    """The state of optax's schedule-free wrapper within a chain's state; None if absent."""
    if isinstance(state, ScheduleFreeState):
        return state
    parts = state if isinstance(state, tuple) else ()
    return next(filter(None, map(_schedule_free_state, parts)), None)


def _schedule_free_average(state: optax.OptState, parameters: Values) -> Values:
    """The evaluation parameters: the average x; training runs at y (Defazio et al. 2024)."""
    own_state = cast("optax.OptState", _schedule_free_state(state))
    return cast("Values", schedule_free_eval_params(own_state, parameters))


def _train_step(
    problem: JaxProblem,
    transformation: optax.GradientTransformation,
    takes_factor: bool,
    rules: StepRules | None,
) -> Step:
    """The compiled step; it returns parameters, state, buffers and the loss.

    Args of the step: parameters, state, buffers, batch, factor (or None), the number of the pass,
    from which a model with dropout gets its key, and the step's place (None without rules).
    """
    update = optax.with_extra_args_support(transformation).update

    def train(
        parameters: Values,
        state: optax.OptState,
        buffers: Values,
        batch: Batch[Array],
        *,
        factor: float | None,
        number: int,
        place: Place | None,
    ) -> tuple[Values, optax.OptState, Values, Array]:
        key = jax.random.fold_in(problem.key, number)
        if rules is not None and place is not None:
            parameters = looked_ahead(parameters, cast("RuledState", state), rules, place)

        def value(parameters: Values) -> Array:
            return problem.training_loss(parameters, batch, key)[0]

        (loss, statistics), gradients = problem.loss_and_gradients(parameters, batch, key)
        # Line searches among the transformations (optax.lbfgs) ask for the first three, estimates
        # of the Hessian (optax.contrib.sophia) for the last.
        extra = {"value": loss, "grad": gradients, "value_fn": value, "obj_fn": value}
        if place is not None:
            extra["place"] = place  # whose rules apply the factor
        elif takes_factor:
            extra["factor"] = jnp.asarray(1.0 if factor is None else factor)
        updates, state = update(gradients, state, parameters, **extra)
        if factor is not None and place is None and not takes_factor:
            updates = jax.tree.map(lambda change: factor * change, updates)
        buffers = move_buffers(buffers, statistics)
        parameters = cast("Values", optax.apply_updates(parameters, updates))
        return parameters, state, buffers, loss

    # On the CPU the referee's snapshots may be views of these buffers.
    donate_argnums = () if problem.device.platform == "cpu" else (0, 1)
    if not isinstance(problem.everywhere, NamedSharding):
        return jax.jit(train, donate_argnums=donate_argnums)
    # Else the compiler might leave a parameter divided as its gradient was computed.
    return jax.jit(train, donate_argnums=donate_argnums, out_shardings=problem.everywhere)


def _builder_of(factory: object, hyperparameters: Hyperparameters) -> Build | None:
    """A `build` function around a function that returns an optax transformation; None if it does
    not.
    """
    if not callable(factory) or (isinstance(factory, type) and hasattr(factory, "step")):
        return None
    keywords = arguments(factory, hyperparameters, "learning_rate")
    return lambda _problem, _point: factory(**keywords)


LOADER: Loader[Array] = Loader(
    file_name="submission_jax.py",
    description="function that makes an optax transformation",
    example="give one such as optax:adamw, or a class with setup and step",
    builder_of=_builder_of,
    from_build=OptimizerSubmission,
    prepare=prepare_class,
    arithmetic=JaxArithmetic(),
)
