"""What a submission sees and what it must be: the one room behind the three doors.

    door 1   an optimizer class by import path            }
    door 2   build(problem, hyperparameters)              }-> a `Submission`
    door 3   a class with setup, step, ...                }

`Array` below is `torch.Tensor` or `jax.Array`; the concrete problems are `TorchProblem` and
`JaxProblem` in `harness.frameworks`, which offer these members and their framework's own.
Nothing here names the workload, and none of it is held-out data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from workloads.parameters import LayerSpec, ParameterSpec

Array = TypeVar("Array")
Hyperparameters = Mapping[str, Any]
"""One point of the search space: numbers, strings and booleans by name."""

Schedule = Callable[[float], float]
"""From the share of the horizon spent, in [0, 1], to the factor on the learning rate."""


@dataclass(frozen=True)
class Built:
    """What `build` may return where an optax transformation and a schedule do not say enough."""

    optimizer: Any
    """The transformation."""
    schedule: Schedule | None = None
    eval_parameters: Callable[[Any, Any], Any] | None = None
    """From its state and the live parameters to the parameters to be evaluated."""
    takes_factor: bool = False
    """Whether its `update` takes the schedule's factor, as the argument `factor` (a scalar array),
    to use it where the method wants it; else its whole update is multiplied by the factor."""


class Batch(NamedTuple, Generic[Array]):
    """Training examples: inputs (batch, ...) and integer targets (batch,) or (batch, time)."""

    inputs: Array
    targets: Array


class Evaluation(NamedTuple, Generic[Array]):
    """One forward pass: logits (batch, ..., classes) and the mean loss, a scalar."""

    logits: Array
    loss: Array


class Capture(NamedTuple, Generic[Array]):
    """What passed through one layer in one backward pass.

    `inputs` is (batch, ..., in); `output_gradients` is (batch, ..., out), the gradients of the
    mean loss with respect to the layer's outputs.
    """

    inputs: Array
    output_gradients: Array


class Loss(Protocol[Array]):
    """The loss as a function of logits: a mean over all targets of a batch."""

    def value(self, logits: Array, targets: Array) -> Array:
        """The mean loss, a scalar."""
        ...

    def sample_targets(self, logits: Array, random: Any) -> Array:
        """Targets drawn from the model's own distribution, shaped as the batch's targets.

        `random` is a `torch.Generator` (or None) or a jax key.
        """
        ...

    def hessian_product(self, logits: Array, vector: Array) -> Array:
        """The product of the mean loss's Hessian in the logits with a vector of their shape."""
        ...


class Stream(Protocol[Array]):
    """The training examples in the instance's order, without end."""

    @property
    def position(self) -> int:
        """How many examples have been drawn."""
        ...

    def next(self, batch_size: int | None = None) -> Batch[Array]:
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


class Problem(Protocol[Array]):
    """What a submission may see of the workload."""

    parameters: dict[str, Array]
    """Live parameters by name (leaf tensors in torch; the initial values in jax)."""
    buffers: dict[str, Array]
    """Running batch statistics by name; empty for a model without batch normalisation."""
    specs: Mapping[str, ParameterSpec]
    """Role, shape and widths of each parameter, under the same names and in the same order."""
    layers: tuple[LayerSpec, ...]
    """Layers whose inputs and output-gradients can be captured."""
    loss: Loss[Array]
    budget: BudgetView
    batch_size: int
    train_examples: int
    seed: int
    """Seeds the submission's own random choices; the global generators are seeded from it too."""

    def evaluate(
        self, parameters: Mapping[str, Array], batch: Batch[Array], random: Any = None
    ) -> Evaluation[Array]:
        """Forward pass, in training mode, as a pure function of parameters, batch and random state.

        It leaves `buffers` as they are.
        """
        ...


class Submission(Protocol):
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

    def setup(self, problem: Any, hyperparameters: Hyperparameters) -> None:
        """Build the optimizer's state. The clock is running."""
        ...

    def step(self, stream: Any) -> Any:
        """Make one step: draw batches from the stream and update the parameters.

        Returns:
            The training loss as a scalar array (not read until it is due), or None.
        """
        ...

    def eval_parameters(self) -> Mapping[str, Any]:
        """The parameters to be evaluated, by name: the live ones, an average, ..."""
        ...

    def learning_rate(self) -> float | None:
        """The rate of the last step, for the record; None if there is no such thing."""
        ...

    def state_dict(self) -> Mapping[str, Any]:
        """The whole state between two steps: nested mappings, lists, numbers and arrays."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave, after `setup`."""
        ...
