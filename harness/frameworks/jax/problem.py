"""The submission's view of a workload in jax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import NamedSharding

from harness.core.errors import UnknownNameError
from harness.frameworks.jax.loss import loss_of
from harness.frameworks.jax.passes import in_precision, zero_offsets
from harness.frameworks.model_source import buffers_of, build, with_dropout
from harness.frameworks.problem import CountedProblem, ProblemConfig
from harness.submission.interface import Batch, Capture, Evaluation, Problem
from harness.submission.ranks import OneRank, Ranks
from workloads.functional_jax import Forward
from workloads.fused_jax import differentiable_once
from workloads.parameters import STATISTICS_MOMENTUM

Tree = Mapping[str, Array]
CaptureResult = tuple[Evaluation[Array], dict[str, Array], dict[str, Capture[Array]]]


class JaxProblem(CountedProblem):
    """Model, parameters, loss and budget of one trial (`harness.submission.interface.Problem`).

    Calls of `evaluate`, `value_and_grad` and `capture` on arrays are counted. Calls inside a
    compiled function cannot be: a submission that compiles its own passes reports their number
    through `note_passes`.

    Attributes:
        model: the pure function of `<package>.model_jax` (`workloads.functional_jax.Forward`).
        parameters: the initial values by name, in the declared order. A submission class without
            `eval_parameters` keeps its live parameters here.
        buffers: the model's running statistics by name; `value_and_grad` and `capture` update
            them, `evaluate` does not.
        key: a key for the submission's own draws, made from `seed`.
        device: the device of all arrays, or the first of several devices.
        everywhere: the placement of parameters: `device`, or a copy on each of several. A batch
            divided among devices is still one array, so a mean over it is that of the whole batch.
        evaluate: pure function (parameters, batch, random) -> logits and loss, which may be
            transformed and compiled.
        loss_and_gradients: pure function (parameters, batch, key) -> (loss, statistics), gradients.
            Compiled once per problem, so that tracing a second caller is faster.
    """

    def __init__(
        self,
        config: ProblemConfig,
        device: jax.Device,
        everywhere: NamedSharding | jax.Device | None = None,
    ) -> None:
        super().__init__(config)
        self._source = source = config.source
        self.model = cast("Forward", build(source, "jax"))
        self.device, self.everywhere = device, everywhere or device
        self.ranks: Ranks[Array] = OneRank[Array]()
        self._at_dropout: dict[float, Forward] = {}
        self.parameters: dict[str, Array] = {
            name: jnp.zeros(spec.shape, device=self.everywhere) for name, spec in self.specs.items()
        }
        self.buffers: dict[str, Array] = {
            name: jnp.full(spec.shape, spec.value, device=self.everywhere)
            for name, spec in buffers_of(source).items()
        }
        self.loss = loss_of(source.loss)
        self.key = key_of(config.seed)
        self._cast = in_precision(jnp.dtype(source.precision))
        self.loss_and_gradients = jax.jit(jax.value_and_grad(self.training_loss, has_aux=True))
        self._statistics = jax.jit(self._statistics_of)
        self._capture = jax.jit(self._captured_pass, static_argnames="names")

    def reset_counts(self) -> None:
        """Reset the pass counts, and restart the problem's own sequence of keys."""
        super().reset_counts()
        self._draws = 0

    def evaluate(
        self, parameters: Tree, batch: Batch[Array], random: Array | None = None
    ) -> Evaluation[Array]:
        """Forward pass in the declared precision as a function of parameters and batch.

        Batch normalisation uses the batch's statistics and leaves the running statistics unchanged:
        a submission that trains only through this method sets `averages_weights`.

        Args:
            parameters: values by name.
            batch: inputs (batch, ...) and targets.
            random: a key for models with dropout; None for no dropout.
        """
        logits = self._train_pass(parameters, batch.inputs, random)[0].astype(jnp.float32)
        self._note_call(logits, batch, backward=0)
        return Evaluation(logits, self.loss.value(logits, batch.targets))

    def value_and_grad(
        self, parameters: Tree, batch: Batch[Array], random: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """The mean loss, a scalar, and its gradients by name; compiled.

        Args:
            parameters: values by name.
            batch: inputs (batch, ...) and targets.
            random: a key for models with dropout; None for the next key of the problem's own
                sequence.
        """
        key = self.next_key() if random is None else random
        (loss, statistics), gradients = self.loss_and_gradients(dict(parameters), batch, key)
        self._note_call(loss, batch, backward=1)
        self._move_buffers(statistics)
        return loss, gradients

    def next_key(self) -> Array:
        """The next key of the problem's own sequence, for a pass with dropout."""
        self._draws += 1
        return jax.random.fold_in(self.key, self._draws)

    def random_state(self) -> tuple[Array, int]:
        """The key and how many keys of its sequence have been drawn."""
        return self.key, self._draws

    def set_random_state(self, state: tuple[Array, int]) -> None:
        """Restore both."""
        self.key, self._draws = state

    def recompute_statistics(self, parameters: Tree, batches: Sequence[Batch[Array]]) -> None:
        """Set `buffers` to the mean statistics that some batches have under the parameters."""
        statistics = [self._statistics(dict(parameters), batch.inputs) for batch in batches]
        self.note_passes(len(batches), 0, sum(batch.inputs.shape[0] for batch in batches))
        self.buffers = {
            name: jnp.stack([one[name] for one in statistics]).mean(0) for name in self.buffers
        }

    def training_loss(
        self, parameters: Tree, batch: Batch[Array], key: Array | None
    ) -> tuple[Array, dict[str, Array]]:
        """The mean loss and the batch's statistics; a pure function, differentiable once."""
        logits, statistics = self.training_logits(parameters, batch.inputs, key)
        return self.loss.value(logits, batch.targets), statistics

    def training_logits(
        self, parameters: Tree, inputs: Array, key: Array | None, dropout_rate: float | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """The logits in training mode, in the declared precision, and the batch's statistics; a
        pure function, differentiable once.

        Args:
            parameters: values by name.
            inputs: (batch, ...).
            key: the key for dropout; None for no dropout.
            dropout_rate: replaces the model's own rate, in [0, 1), in models with dropout.
        """
        model = self.model if dropout_rate is None else self._model_at_dropout(dropout_rate)
        with differentiable_once():
            return self._train_pass(parameters, inputs, key, model)

    def evaluation_logits(self, parameters: Tree, buffers: Tree, inputs: Array) -> Array:
        """The logits in evaluation mode, in the declared precision; a pure function."""
        with differentiable_once():
            return self.model(self._cast(parameters), self._cast(inputs), buffers=buffers).logits

    def capture(
        self,
        parameters: Tree,
        batch: Batch[Array],
        targets: Array | None = None,
        *,
        random: Array | None = None,
        names: tuple[str, ...] | None = None,
    ) -> CaptureResult:
        """A compiled forward and backward pass that also returns layer inputs and output gradients.

        Args:
            parameters: values by name.
            batch: inputs and targets; `Evaluation.loss` is always the loss of these targets.
            targets: used in place of the batch's targets for gradients and captures.
            random: a key with which those targets are sampled from the model's predictions.
            names: names of the layers to capture; all by default.

        Returns:
            The evaluation, the gradients by parameter name, the captures by layer name.
        """
        layer_names = tuple(layer.name for layer in self.layers)
        for name in names or ():
            if name not in layer_names:
                raise UnknownNameError("layer", name, layer_names)
        result, statistics = self._capture(
            dict(parameters),
            batch,
            targets=targets,
            random=random,
            key=self.next_key(),
            names=layer_names if names is None else names,
        )
        capture: CaptureResult = result
        self._note_call(capture[0].loss, batch, backward=1)
        self._move_buffers(statistics)
        return capture

    def _note_call(self, value: Array, batch: Batch[Array], backward: int) -> None:
        if not isinstance(value, jax.core.Tracer):
            self.note_passes(1, backward, batch.inputs.shape[0])

    def _move_buffers(self, statistics: Tree) -> None:
        if statistics:
            self.buffers = move_buffers(self.buffers, statistics)

    def _model_at_dropout(self, rate: float) -> Forward:
        if rate not in self._at_dropout:
            model = cast("Forward", build(with_dropout(self._source, rate), "jax"))
            self._at_dropout[rate] = model
        return self._at_dropout[rate]

    def _train_pass(
        self, parameters: Tree, inputs: Array, key: Array | None, model: Forward | None = None
    ) -> tuple[Array, dict[str, Array]]:
        model = self.model if model is None else model
        output = model(self._cast(parameters), self._cast(inputs), key=key)
        return output.logits, output.statistics

    def _statistics_of(self, parameters: Tree, inputs: Array) -> dict[str, Array]:
        return self._train_pass(parameters, inputs, None)[1]

    def _captured_pass(
        self,
        parameters: dict[str, Array],
        batch: Batch[Array],
        *,
        targets: Array | None,
        random: Array | None,
        key: Array,
        names: tuple[str, ...],
    ) -> tuple[CaptureResult, dict[str, Array]]:
        def loss(
            parameters: dict[str, Array], offsets: dict[str, Array]
        ) -> tuple[Array, tuple[Array, dict[str, Array], dict[str, Array]]]:
            with differentiable_once():
                logits, layer_inputs, statistics = self.model(
                    self._cast(parameters),
                    self._cast(batch.inputs),
                    offsets=self._cast(offsets),
                    key=key,
                )
            logits = logits.astype(jnp.float32)
            loss_targets = batch.targets if targets is None else targets
            if random is not None:
                loss_targets = self.loss.sample_targets(logits, random)
            return self.loss.value(logits, loss_targets), (logits, layer_inputs, statistics)

        layers = [layer for layer in self.layers if layer.name in names]
        offsets = zero_offsets(self.model, layers, self.specs, parameters, batch.inputs)
        (gradients, shifts), (logits, layer_inputs, statistics) = jax.grad(
            loss, (0, 1), has_aux=True
        )(parameters, offsets)
        captures = {name: Capture(layer_inputs[name], shifts[name]) for name in names}
        evaluation = Evaluation(logits, self.loss.value(logits, batch.targets))
        return (evaluation, gradients, captures), statistics


def jax_problem(problem: Problem[Array]) -> JaxProblem:
    """The problem, narrowed to its type: the jax backend creates no other kind."""
    if not isinstance(problem, JaxProblem):
        raise TypeError(f"expected a JaxProblem, not a {type(problem).__name__}")
    return problem


@jax.jit
def move_buffers(buffers: Tree, statistics: Tree) -> dict[str, Array]:
    """The running statistics after one batch."""
    return {
        name: (1.0 - STATISTICS_MOMENTUM) * old + STATISTICS_MOMENTUM * statistics[name]
        for name, old in buffers.items()
    }


def key_of(seed: int) -> Array:
    """A key that depends on all 64 bits of a seed; `jax.random.key` would use the lower 32 only."""
    return jax.random.fold_in(jax.random.key(seed % 2**32), seed >> 32)
