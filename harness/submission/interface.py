"""What a submission sees and what it must be: the one room behind the three doors.

    door 1   an optimizer class by import path            }
    door 2   build(problem, hyperparameters)              }-> a `Submission`
    door 3   a class with setup, step, ...                }

`ArrayT` below is `torch.Tensor` or `jax.ArrayT`; the concrete problems are `TorchProblem` and
`JaxProblem` in `harness.frameworks`, which offer these members and their framework's own.
Nothing here names the workload, and none of it is held-out data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, SupportsFloat

from harness.submission.state import ArrayT, StateDict
from workloads.parameters import LayerSpec, ParameterSpec

Hyperparameters = Mapping[str, Any]
"""One point of the search space: numbers, strings and booleans by name."""

RandomState = Any
"""A `torch.Generator` (or None) or a jax key: each framework's own, and no array in torch."""

Schedule = Callable[[float], float]
"""From the share of the horizon spent, in [0, 1], to the factor on the learning rate."""


@dataclass(frozen=True)
class Built:
    """What `build` may return where an optax transformation and a schedule do not say enough."""

    optimizer: object
    """The transformation."""
    schedule: Schedule | None = None
    # The kinds of state and parameters are the optimizer's own.
    eval_parameters: Callable[[Any, Any], Any] | None = None
    """From its state and the live parameters to the parameters to be evaluated."""
    takes_factor: bool = False
    """Whether its `update` takes the schedule's factor, as the argument `factor` (a scalar array),
    to use it where the method wants it; else its whole update is multiplied by the factor."""


class Batch(NamedTuple, Generic[ArrayT]):
    """Training examples: inputs (batch, ...) and integer targets (batch,) or (batch, time)."""

    inputs: ArrayT
    targets: ArrayT


class Evaluation(NamedTuple, Generic[ArrayT]):
    """One forward pass: logits (batch, ..., classes) and the mean loss, a scalar."""

    logits: ArrayT
    loss: ArrayT


class Capture(NamedTuple, Generic[ArrayT]):
    """What passed through one layer in one backward pass.

    `inputs` is (batch, ..., in); `output_gradients` is (batch, ..., out), the gradients of the
    mean loss with respect to the layer's outputs.
    """

    inputs: ArrayT
    output_gradients: ArrayT


class Loss(Protocol[ArrayT]):
    """The loss as a function of logits: a mean over all targets of a batch."""

    def value(self, logits: ArrayT, targets: ArrayT) -> ArrayT:
        """The mean loss, a scalar."""
        ...

    def sample_targets(self, logits: ArrayT, random: RandomState) -> ArrayT:
        """Targets drawn from the model's own distribution, shaped as the batch's targets."""
        ...

    def hessian_product(self, logits: ArrayT, vector: ArrayT) -> ArrayT:
        """The product of the mean loss's Hessian in the logits with a vector of their shape."""
        ...


class Stream(Protocol[ArrayT]):
    """The training examples in the instance's order, without end."""

    @property
    def position(self) -> int:
        """How many examples have been drawn."""
        ...

    def next(self, batch_size: int | None = None) -> Batch[ArrayT]:
        """The next examples: as many as asked for, or the workload's batch size."""
        ...


class BudgetView(Protocol):
    """How much of the trial's budget is spent, as last read; it is read once a step."""

    @property
    def share(self) -> float:
        """The share of the whole budget spent, from 0 to 1 (a step more at the very end)."""
        ...

    def progress(self, horizon: float) -> float:
        """The share of a horizon spent, clipped to 1; the horizon is a share of the budget."""
        ...


class Problem(Protocol[ArrayT]):
    """What a submission may see of the workload."""

    @property
    def parameters(self) -> dict[str, ArrayT]:
        """Live parameters by name (leaf tensors in torch; the initial values in jax)."""
        ...

    @property
    def buffers(self) -> dict[str, ArrayT]:
        """Running batch statistics by name; empty for a model without batch normalisation."""
        ...

    @property
    def specs(self) -> Mapping[str, ParameterSpec]:
        """Role, shape and widths of each parameter, under the same names and in the same order."""
        ...

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """Layers whose inputs and output-gradients can be captured."""
        ...

    @property
    def loss(self) -> Loss[ArrayT]:
        """The loss as a function of logits."""
        ...

    @property
    def budget(self) -> BudgetView:
        """How much of the budget is spent."""
        ...

    @property
    def batch_size(self) -> int:
        """The workload's."""
        ...

    @property
    def train_examples(self) -> int:
        """How many training examples there are."""
        ...

    @property
    def seed(self) -> int:
        """Seeds the submission's own random choices, as it does the global generators."""
        ...

    def evaluate(
        self,
        parameters: Mapping[str, ArrayT],
        batch: Batch[ArrayT],
        random: RandomState = None,
    ) -> Evaluation[ArrayT]:
        """Forward pass, in training mode, as a pure function of parameters, batch and random state.

        It leaves `buffers` as they are.
        """
        ...


class Submission(Protocol[ArrayT]):
    """A training algorithm: what a worker drives. A class of door 3 has these methods.

    Only `setup` and `step` are required of a door-3 class; the worker fills in the rest.
    """

    @property
    def averages_weights(self) -> bool:
        """Whether what is evaluated are not the weights that were trained with.

        Batch statistics are then recomputed for what `eval_parameters` gives, on the clock, from
        the first batches of the instance's order.
        """
        ...

    def setup(self, problem: Problem[ArrayT], hyperparameters: Hyperparameters) -> None:
        """Build the optimizer's state. The clock is running."""
        ...

    def step(self, stream: Stream[ArrayT]) -> SupportsFloat | None:
        """Make one step: draw batches from the stream and update the parameters.

        Returns:
            The training loss as a scalar array (not read until it is due), or None.
        """
        ...

    def eval_parameters(self) -> Mapping[str, ArrayT]:
        """The parameters to be evaluated, by name: the live ones, an average, ..."""
        ...

    def learning_rate(self) -> float | None:
        """The rate of the last step, for the record; None if there is no such thing."""
        ...

    def state_dict(self) -> StateDict[ArrayT]:
        """The whole state between two steps: nested mappings, lists, numbers and arrays."""
        ...

    def load_state_dict(self, state: StateDict[ArrayT]) -> None:
        """Take back what `state_dict` gave, after `setup`."""
        ...
