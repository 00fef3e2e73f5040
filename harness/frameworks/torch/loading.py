"""Load a torch submission of any kind: an optimizer class, a `build` function, a class."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import cast

import torch
from torch import Tensor
from torch.optim import Optimizer

from harness.core.errors import HarnessError
from harness.frameworks.torch.optimizer_class import builder_of
from harness.frameworks.torch.optimizer_step import OptimizerStep
from harness.frameworks.torch.problem import torch_problem
from harness.frameworks.torch.ranks import mean_of_passes
from harness.frameworks.torch.step_wrapper import StepWrapper
from harness.frameworks.torch.unsaved_state import UnsavedState
from harness.frameworks.torch.wrapper import OptimizerWrapper, TorchArithmetic, prepare_class
from harness.submission.entry import Build, describe_return
from harness.submission.interface import (
    SCHEDULE_FORM,
    Hyperparameters,
    Problem,
    Schedule,
    Stream,
)
from harness.submission.loading import DEFAULT_HORIZON, Loader
from harness.submission.parametrisation import check_rule
from harness.submission.state import (
    StateDict,
    arrays_of,
    load_schedule_state,
    schedule_state,
    state_of,
)
from harness.submission.step_rules import progress_of, refuse_rules, step_rules

SWAPS = (("eval", "train"), ("backup_and_load_cache", "clear_and_load_backup"))
"""The methods by which optimizers swap an average into the parameters and back out: those of
schedule-free optimizers, which start with the second, and of Lookahead.
"""


def assign(problem: Problem[Tensor], values: Mapping[str, Tensor]) -> None:
    """Copy values into the live parameters."""
    with torch.no_grad():
        for name, live in problem.parameters.items():
            live.copy_(values[name])


class OptimizerSubmission:
    """A submission made of a torch optimizer and an optional schedule.

    Each step draws one batch, computes the gradient of its loss and calls the optimizer's `step` as
    it expects to be called (`harness.frameworks.torch.optimizer_step`). Before the update every
    group's rate is multiplied by the schedule's factor at the current fraction of the horizon.
    """

    def __init__(self, build: Build, place: str, rules: Collection[str]) -> None:
        self._build = build
        self._place = place
        self._rules = rules
        self._schedule: Schedule | None = None
        self._base_rates: list[float] = []

    @property
    def averages_weights(self) -> bool:
        """Whether the optimizer can swap an average of the weights into the parameters."""
        return self._swap is not None

    def setup(self, problem: Problem[Tensor], hyperparameters: Hyperparameters) -> None:
        """Build the optimizer over the live parameters."""
        self._problem = problem = torch_problem(problem)
        self._loss = problem.uncounted_loss
        check_rule(hyperparameters, self._rules)
        self._wrapper = OptimizerWrapper(problem, hyperparameters)
        result = self._build(self._wrapper.view, hyperparameters)
        optimizer, self._schedule = result if isinstance(result, tuple) else (result, None)
        if not isinstance(optimizer, Optimizer):
            raise HarnessError(
                f"{self._place}: build {describe_return(optimizer)}",
                "it must return a torch.optim.Optimizer, or a pair of one and a schedule: "
                f"{SCHEDULE_FORM}",
            )
        if self._schedule is not None and not callable(self._schedule):
            raise HarnessError(
                f"{self._place}: build's schedule is {type(self._schedule).__name__}",
                f"it must be {SCHEDULE_FORM}",
            )
        self._optimizer = optimizer
        self._unsaved_state = UnsavedState(optimizer, problem.model, problem.generator)
        self._swap = _swap_of(optimizer)
        if self.averages_weights or getattr(optimizer, "keeps_iterates", False):
            refuse_rules(hyperparameters, f"{type(optimizer).__name__} keeps its own iterates")
        self._step_rules = step_rules(problem.specs, hyperparameters, self._schedule)
        parameters = self._wrapper.view.parameters
        rules = self._step_rules
        self._step_wrapper = None if rules is None else StepWrapper(parameters, rules)
        self._base_rates = self._rates()
        self._horizon = float(hyperparameters.get("horizon", DEFAULT_HORIZON))
        self._update = OptimizerStep(optimizer, problem.ranks.world_size)
        if callable(begin := getattr(optimizer, "train", None)):
            begin()

    def step(self, stream: Stream[Tensor]) -> Tensor:
        """One batch, one update; returns the loss before the update, on the device."""
        problem = self._problem
        ranks = problem.ranks
        batch = stream.next()
        optimizer, update = self._optimizer, self._update
        wrapper = self._wrapper
        step_wrapper, schedule = self._step_wrapper, self._schedule
        spent_fraction = problem.budget.progress(self._horizon)
        progress = progress_of(schedule, spent_fraction, self._step_rules)
        if schedule is not None:
            self._set_rates(progress.factor)
        if step_wrapper is not None:
            step_wrapper.before_step(progress)
            wrapper.publish()

        def loss_and_gradient() -> Tensor:
            optimizer.zero_grad()
            if update.is_second_order:
                loss = problem.twice_differentiable_backward(batch)
            else:
                loss = self._loss(batch)
                loss.backward()
            if ranks.world_size > 1:
                loss = mean_of_passes(ranks, problem.parameters, loss)
            wrapper.take_gradients()
            problem.note_passes(1, 1, batch.targets.shape[0] * ranks.world_size)
            return loss

        @torch.enable_grad()  # torch's own optimizers see to that, not all of others'
        def published_loss_and_gradient() -> Tensor:
            wrapper.publish()
            return loss_and_gradient()

        loss = update(loss_and_gradient, published_loss_and_gradient)
        if step_wrapper is not None:
            step_wrapper.after_step(progress)
        wrapper.publish()
        return loss.detach()

    def eval_parameters(self) -> Mapping[str, Tensor]:
        """The live parameters, or a copy of the average that the optimizer swaps in."""
        if self._swap is None:
            return self._problem.parameters
        swap_in, swap_out = self._swap
        swap_in()
        self._wrapper.publish()
        parameters = {
            name: live.detach().clone() for name, live in self._problem.parameters.items()
        }
        swap_out()
        self._wrapper.publish()
        return parameters

    def learning_rate(self) -> float | None:
        """The learning rate of the first group; None for an optimizer without one."""
        rate = self._optimizer.param_groups[0].get("lr")
        return None if rate is None else float(rate)

    def state_dict(self) -> StateDict[Tensor]:
        """The state of the optimizer and its wrappers, the parameters, and the schedule's state if
        any.

        Raises:
            HarnessError: the optimizer keeps state outside its `state_dict`.
        """
        self._unsaved_state.refuse()
        return {
            "optimizer": self._optimizer.state_dict(),
            "parameters": dict(self._problem.parameters),
            "trained": self._wrapper.state_dict(),
            "rules": {} if self._step_wrapper is None else self._step_wrapper.state_dict(),
            "schedule": schedule_state(self._schedule),
        }

    def load_state_dict(self, state: StateDict[Tensor]) -> None:
        """Restore all of these."""
        assign(self._problem, arrays_of(state, "parameters"))
        self._wrapper.load_state_dict(arrays_of(state, "trained"))
        if self._step_wrapper is not None:
            self._step_wrapper.load_state_dict(state_of(state, "rules"))
        self._optimizer.load_state_dict(dict(state_of(state, "optimizer")))
        load_schedule_state(self._schedule, state_of(state, "schedule"))

    def inherit(self, state: StateDict[Tensor], point: Hyperparameters) -> None:
        """Continue from the state of another trial's optimizer, which had other hyperparameters.

        Group entries for which both trials start equal keep the other trial's current value, such
        as a running estimate stored beside the hyperparameters; the others take this trial's value.
        The schedule starts over.
        """
        own = _settings(self._optimizer)
        result = self._build(self._wrapper.view, point)
        other = cast("Optimizer", result[0] if isinstance(result, tuple) else result)
        self.load_state_dict({**state, "schedule": schedule_state(self._schedule)})
        groups = self._optimizer.param_groups
        for group, ours, theirs in zip(groups, own, _settings(other), strict=True):
            group.update({n: value for n, value in ours.items() if theirs.get(n) != value})

    def _rates(self) -> list[float]:
        """Each group's learning rate, for the schedule; empty without a schedule."""
        if self._schedule is None:
            return []
        groups = self._optimizer.param_groups
        if any("lr" not in group for group in groups):
            raise HarnessError(
                f"{self._place}: the groups of {type(self._optimizer).__name__} have no 'lr', "
                "which the schedule would set",
                "return the optimizer alone, without a schedule",
            )
        return [group["lr"] for group in groups]

    def _set_rates(self, factor: float) -> None:
        for group, base in zip(self._optimizer.param_groups, self._base_rates, strict=True):
            group["lr"] = base * factor


def _swap_of(optimizer: Optimizer) -> tuple[Callable[[], object], Callable[[], object]] | None:
    """The methods that swap an optimizer's average into the parameters, and back out."""
    for names in SWAPS:
        swap_in, swap_out = (getattr(optimizer, name, None) for name in names)
        if callable(swap_in) and callable(swap_out):
            return swap_in, swap_out
    return None


def _settings(optimizer: Optimizer) -> list[dict[str, object]]:
    """The entries of each group, without its parameters."""
    return [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]


LOADER: Loader[Tensor] = Loader(
    file_name="submission.py",
    description="torch optimizer class",
    example="give a class such as torch.optim:AdamW, or one with setup and step",
    builder_of=builder_of,
    from_build=OptimizerSubmission,
    prepare=prepare_class,
    arithmetic=TorchArithmetic(),
)
