"""The submission's view of a workload in torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn

from harness.frameworks.examples import ModelSource
from harness.frameworks.model_source import (
    buffers_of,
    build,
    check_shapes,
    shapes_of,
    with_dropout,
)
from harness.frameworks.problem import CountedProblem, ProblemConfig
from harness.frameworks.torch.captures import capture_layers
from harness.frameworks.torch.loss import TorchLoss, loss_of
from harness.frameworks.torch.ranks import TorchRanks, couple_batch_norms
from harness.submission.interface import Batch, Capture, Evaluation, Problem
from harness.submission.ranks import OneRank, Ranks
from workloads.fused_torch import twice_differentiable
from workloads.modules_torch import BatchNorm2d, without_tracking
from workloads.parameters import STATISTICS_MOMENTUM

TrainingCalls = tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]
"""Functions for the logits of inputs and for the mean loss of inputs and targets."""


def build_model(source: ModelSource, device: torch.device) -> nn.Module:
    """A workload's model on the device; its parameters are checked against the declared ones."""
    model = cast("nn.Module", build(source, "torch")).to(device)
    specs = buffers_of(source)
    shapes = {name: tuple(value.shape) for name, value in model.named_parameters()}
    shapes |= {n: tuple(value.shape) for n, value in model.named_buffers() if n in specs}
    check_shapes(shapes_of(source), shapes, f"{source.package}.model_torch")
    return model


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object] | None:
    """A reusable autocast context of the declared precision; None for float32."""
    if precision == "float32":
        return None
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def mean_loss(
    model: nn.Module, loss: TorchLoss, precision: str, device: torch.device
) -> Callable[[Tensor, Tensor], Tensor]:
    """Model and loss as one function of inputs and targets, for torch.compile to compile whole."""

    def plain(inputs: Tensor, targets: Tensor) -> Tensor:
        return loss.value_in_parts(model(inputs), targets)

    def cast(inputs: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast(device.type, dtype=getattr(torch, precision)):
            logits = model(inputs)
        return loss.value_in_parts(logits, targets)

    return plain if precision == "float32" else cast


class TorchProblem(CountedProblem):
    """Model, parameters, loss and budget of one trial (`harness.submission.interface.Problem`).

    Calls of `batch_loss` and `evaluate` are counted, and the backward passes through their results,
    including those run by a `torch.func` transform.

    Attributes:
        model: the live module; hooks may be registered on its layers.
        parameters: its parameters by name, in the declared order.
        buffers: its running statistics by name; `batch_loss` updates them, `evaluate` does not.
        generator: a generator of the device for the submission's own draws, seeded from `seed`.
        ranks: the group of training processes. Each has a slice of every batch, and results are
            those of the slice, except for batch normalisation's statistics.
    """

    def __init__(
        self, config: ProblemConfig, device: torch.device, group: TorchRanks | None = None
    ) -> None:
        super().__init__(config)
        self._source = source = config.source
        self._at_dropout: dict[float, nn.Module] = {}
        self.model = build_model(source, device)
        live = dict(self.model.named_parameters())
        self.parameters: dict[str, Tensor] = {name: live[name] for name in self.specs}
        buffers = dict(self.model.named_buffers())
        self.buffers = {name: buffers[name] for name in buffers_of(source)}
        self.ranks: Ranks[Tensor] = OneRank[Tensor]() if group is None else group
        if group is not None:
            couple_batch_norms(self.model, group)
        self._norms = tuple(m for m in self.model.modules() if isinstance(m, BatchNorm2d))
        self.loss = loss_of(source.loss)
        self.device = device
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self._autocast = autocast(source.precision, device)
        self._value = self.loss.value_in_parts
        self._plain = self.model, mean_loss(self.model, self.loss, source.precision, device)
        # Loss and model in one graph: logits then need not stand in float32 between the two.
        self._training_calls: TrainingCalls = (
            (torch.compile(self._plain[0]), torch.compile(self._plain[1]))
            if source.is_compiled
            else self._plain
        )
        self._call, self._loss_call = self._training_calls

    def batch_loss(self, batch: Batch[Tensor]) -> Tensor:
        """The mean loss of the live model in the declared precision: a forward pass, a scalar.

        Differentiable once, like `forward`. Below float32 precision, logits are cast to float32
        part by part, so that they never exist in float32 as a whole.
        """
        return self._count(self._mean_loss(batch), batch.inputs.shape[0])

    def forward(self, batch: Batch[Tensor]) -> Evaluation[Tensor]:
        """Logits and mean loss of the live model in training mode, which updates running
        statistics.

        First derivatives only, repeatedly with `retain_graph` (for other targets, say). `evaluate`
        supports second derivatives, without fused kernels.
        """
        logits = self.logits(batch.inputs)
        return Evaluation(logits, self._value(logits, batch.targets))

    def logits(
        self,
        inputs: Tensor,
        model: Callable[[Tensor], Tensor] | None = None,
        *,
        moves_statistics: bool = True,
    ) -> Tensor:
        """Logits in the declared precision, as in `forward`.

        Args:
            inputs: (batch, ...).
            model: a module to use instead of the live one, such as a result of `model_at_dropout`.
            moves_statistics: whether the live model's running statistics are updated.
        """
        norms = () if moves_statistics else self._norms
        with without_tracking(norms):
            logits = self._logits(self._call if model is None else model, inputs)
        return self._count(logits, logits.shape[0])

    def model_at_dropout(self, rate: float) -> nn.Module:
        """The model with another dropout rate, sharing the live model's parameters and buffers."""
        if rate not in self._at_dropout:
            model = build_model(with_dropout(self._source, rate), self.device)
            for name, parameter in self.model.named_parameters():
                _set(model, name, parameter)
            for name, buffer in self.model.named_buffers():
                _set(model, name, buffer)
            self._at_dropout[rate] = model
        return self._at_dropout[rate]

    def uncounted_loss(self, batch: Batch[Tensor]) -> Tensor:
        """`batch_loss` without the counting hook, for loops that call `note_passes`."""
        return self._mean_loss(batch)

    def twice_differentiable_backward(self, batch: Batch[Tensor]) -> Tensor:
        """The mean loss, uncounted; runs backward so that every `grad` can be differentiated again.

        As in `evaluate`, plain operations replace fused kernels; running statistics are updated as
        in `batch_loss`.
        """
        with twice_differentiable(self.model):
            logits = self._logits(self.model, batch.inputs)
        loss = self.loss.value(logits, batch.targets)
        live = list(self.parameters.values())
        gradients = torch.autograd.grad(loss, live, create_graph=True)
        # and not `backward`, whose graph the gradients it leaves would keep alive for ever
        for parameter, gradient in zip(live, gradients, strict=True):
            parameter.grad = gradient
        return loss

    def evaluate(
        self,
        parameters: Mapping[str, Tensor],
        batch: Batch[Tensor],
        random: torch.Generator | None = None,
    ) -> Evaluation[Tensor]:
        """Forward pass as a function of parameters; twice differentiable, also by torch.func.

        For that, plain operations with the same results replace fused kernels.

        Batch normalisation uses the batch's statistics and leaves the running statistics unchanged:
        a submission that trains only through this method sets `averages_weights`.

        Args:
            parameters: values by name; the live ones for missing names.
            batch: inputs (batch, ...) and targets.
            random: a generator whose state seeds the pass and is left unchanged; None for the
                global generator.
        """
        with (
            without_tracking(self._norms),
            twice_differentiable(self.model),
            self._random_state(random),
        ):
            logits = self._logits(_Functional(self.model, parameters), batch.inputs)
            self._count(logits, logits.shape[0])
        return Evaluation(logits, self.loss.value(logits, batch.targets))

    def recompute_statistics(
        self, parameters: Mapping[str, Tensor], batches: Sequence[Batch[Tensor]]
    ) -> None:
        """Set `buffers` to the mean statistics that some batches have under the parameters."""
        with torch.no_grad():
            for number, batch in enumerate(batches, start=1):
                for norm in self._norms:
                    norm.momentum = 1.0 / number
                logits = self._logits(_Functional(self.model, parameters), batch.inputs)
                self._count(logits, logits.shape[0])
        for norm in self._norms:
            norm.momentum = STATISTICS_MOMENTUM

    @contextmanager
    def capture(self, names: Sequence[str] | None = None) -> Iterator[dict[str, Capture[Tensor]]]:
        """Record layers' inputs and output gradients in a `with` block; all layers by default.

        The dictionary, keyed by layer, is filled anew by every backward pass through a forward pass
        of the block; a second backward pass through a retained graph (with sampled targets, say)
        replaces the gradients. Passes in the block are not compiled, so that hooks fire.
        """
        self._call, self._loss_call = self._plain
        try:
            with capture_layers(self.model, self.layers, names) as captures:
                yield captures
        finally:
            self._call, self._loss_call = self._training_calls

    def _logits(self, model: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        if self._autocast is None:
            return model(inputs)
        with self._autocast:
            return model(inputs).float()

    def _mean_loss(self, batch: Batch[Tensor]) -> Tensor:
        return self._loss_call(batch.inputs, batch.targets)

    def _count(self, result: Tensor, examples: int) -> Tensor:
        """Count a forward pass over some examples, and the backward passes through its result."""
        self._forwards += 1
        self._examples += examples * self.ranks.world_size
        node = result.grad_fn
        if node is not None:
            node.register_prehook(self._saw_backward)
        return result

    def _saw_backward(self, _: tuple[Tensor, ...]) -> None:
        self._backwards += 1

    def _random_state(self, random: torch.Generator | None) -> AbstractContextManager[object]:
        return nullcontext() if random is None else _global_shapes_of(random, self.device)


def torch_problem(problem: Problem[Tensor]) -> TorchProblem:
    """The problem, narrowed to its type: the torch backend creates no other kind."""
    if not isinstance(problem, TorchProblem):
        raise TypeError(f"expected a TorchProblem, not a {type(problem).__name__}")
    return problem


def _set(model: nn.Module, name: str, value: Tensor) -> None:
    """Replace a module's own parameter or buffer."""
    place, _, last = name.rpartition(".")
    setattr(model.get_submodule(place), last, value)


class _Functional:
    """Calls a module with other parameters in place of its own."""

    def __init__(self, module: nn.Module, parameters: Mapping[str, Tensor]) -> None:
        self.module = module
        self.parameters = dict(parameters)

    def __call__(self, inputs: Tensor) -> Tensor:
        logits: Tensor = torch.func.functional_call(self.module, self.parameters, (inputs,))
        return logits


@contextmanager
def _global_shapes_of(random: torch.Generator, device: torch.device) -> Iterator[None]:
    on_device = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_device else []):
        if on_device:
            torch.cuda.set_rng_state(random.get_state(), device)
        else:
            torch.set_rng_state(random.get_state())
        yield
