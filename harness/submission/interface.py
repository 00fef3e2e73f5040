"""What a submission sees of a workload, and the interface that every submission has.

A submission is written in one of three ways, each of which becomes a `Submission`:

    an optimizer class, named by its import path
    a function `build(problem, hyperparameters)`
    a class with `setup`, `step` and optionally the other methods of `Submission`

`ArrayT` is `torch.Tensor` or `jax.Array`. The concrete problems are `TorchProblem` and `JaxProblem`
in `harness.frameworks`; they have these members and some of their framework's own. Nothing here
names the workload, and nothing gives access to held-out data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, SupportsFloat

from harness.submission.ranks import Ranks
from harness.submission.state import ArrayT, StateDict
from workloads.parameters import LayerSpec, ParameterSpec

Hyperparameters = Mapping[str, Any]
"""One point of the search space: numbers, strings and booleans by name."""

RandomState = Any
"""A `torch.Generator` (or None) or a jax key: each framework's own, and no array in torch."""

Schedule = Callable[[float], float]
"""Maps the fraction of the horizon spent, in [0, 1], to a factor on the learning rate."""

SCHEDULE_FORM = (
    "a function of the fraction of the horizon spent, 0 to 1, that returns a factor on the "
    "learning rate, such as lambda fraction: 1 - fraction"
)
"""What a schedule is, for errors."""


@dataclass(frozen=True)
class Built:
    """What `build` may return if an optax transformation and a schedule are not enough."""

    optimizer: object
    """The transformation."""
    schedule: Schedule | None = None
    # The optimizer defines the types of its state and parameters.
    eval_parameters: Callable[[Any, Any], Any] | None = None
    """Maps the optimizer's state and the live parameters to the parameters to evaluate."""
    takes_factor: bool = False
    """Whether `update` takes the schedule's factor as the argument `factor`, a scalar array.
    Otherwise the whole update is multiplied by the factor."""
    keeps_iterates: bool = False
    """Whether steps do not start from the parameters, so that what else changes them is undone."""


class Batch(NamedTuple, Generic[ArrayT]):
    """Training examples: inputs (batch, ...) and targets (batch, ...).

    Targets are integer classes, (batch,) or (batch, time), under cross-entropy, and real values
    shaped like the model's outputs under squared error.
    """

    inputs: ArrayT
    targets: ArrayT


class Evaluation(NamedTuple, Generic[ArrayT]):
    """One forward pass: the model's outputs (batch, ..., outputs) and the mean loss, a scalar."""

    logits: ArrayT
    loss: ArrayT


class Capture(NamedTuple, Generic[ArrayT]):
    """What one layer saw in a forward and a backward pass.

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
        """Targets sampled from the model's predictive distribution, shaped like the batch's."""
        ...

    def hessian_product(self, logits: ArrayT, vector: ArrayT) -> ArrayT:
        """The Hessian of the mean loss in the logits, times a vector of their shape."""
        ...


class Stream(Protocol[ArrayT]):
    """An endless stream of training examples, in the instance's order; also an iterator of batches
    of the workload's size.
    """

    def __iter__(self) -> Iterator[Batch[ArrayT]]:
        """Itself."""
        ...

    def __next__(self) -> Batch[ArrayT]:
        """The same as `next()`."""
        ...

    @property
    def position(self) -> int:
        """Number of examples drawn so far."""
        ...

    def next(self, batch_size: int | None = None) -> Batch[ArrayT]:
        """The next `batch_size` examples; by default as many as the workload's batch size.

        A rank is given its slice of them (`harness.submission.ranks`).
        """
        ...


class BudgetView(Protocol):
    """How much of the trial's budget is spent, as of the start of the current step."""

    @property
    def fraction(self) -> float:
        """Fraction of the whole budget spent; the last step may end slightly above 1."""
        ...

    def progress(self, horizon: float) -> float:
        """Fraction of a horizon spent, at most 1; the horizon is a fraction of the budget."""
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
        """The budget spent so far."""
        ...

    @property
    def batch_size(self) -> int:
        """The workload's batch size, over all ranks."""
        ...

    @property
    def train_examples(self) -> int:
        """Number of training examples."""
        ...

    @property
    def step_hint(self) -> int:
        """About how many steps the budget is long: those that a tuned AdamW makes in it.

        The number does not depend on the machine, whose speed the budget in seconds follows. It is
        that of the ruleset `external`, also under `self`, whose budget is longer, as in AlgoPerf;
        `--budget-scale` multiplies it.
        """
        ...

    @property
    def seed(self) -> int:
        """Seed for the submission's own random choices; the global generators have it too."""
        ...

    @property
    def ranks(self) -> Ranks[ArrayT]:
        """The processes that train together, one unless `--devices` says more."""
        ...

    def evaluate(
        self,
        parameters: Mapping[str, ArrayT],
        batch: Batch[ArrayT],
        random: RandomState = None,
    ) -> Evaluation[ArrayT]:
        """Forward pass in training mode, as a pure function of parameters, batch and random state.

        `buffers` are not updated.
        """
        ...


class Submission(Protocol[ArrayT]):
    """A training algorithm, as the worker drives it.

    An author's class needs only `setup` and `step`; the worker supplies defaults for the rest.
    """

    @property
    def averages_weights(self) -> bool:
        """Whether the evaluated weights differ from the weights that are trained.

        Batch statistics are then recomputed for `eval_parameters` from the first batches of the
        instance's order: where the worker is stopped on the clock, else by the referee.
        """
        ...

    def setup(self, problem: Problem[ArrayT], hyperparameters: Hyperparameters) -> None:
        """Build the optimizer's state. The clock is running."""
        ...

    def step(self, stream: Stream[ArrayT]) -> SupportsFloat | None:
        """Take one step: draw batches from the stream and update the parameters.

        Returns:
            The training loss as a scalar array, which is read later if at all; or None.
        """
        ...

    def eval_parameters(self) -> Mapping[str, ArrayT]:
        """The parameters to evaluate, by name: the live ones, an average, and so on."""
        ...

    def learning_rate(self) -> float | None:
        """Learning rate of the last step, for the record; None if there is none."""
        ...

    def state_dict(self) -> StateDict[ArrayT]:
        """The complete state between two steps: nested mappings, lists, numbers and arrays."""
        ...

    def load_state_dict(self, state: StateDict[ArrayT]) -> None:
        """Restore what `state_dict` returned; called after `setup`."""
        ...
