"""Layerwise preconditioning, estimated from each layer's inputs and output gradients."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch.optim import AdamW

from harness.core.errors import UnknownNameError
from harness.submission.interface import Batch, Capture, Evaluation, Hyperparameters, Stream
from harness.submission.parametrisation import Scaling, scalings
from submissions.common import schedules
from submissions.common.factored_layers import preconditionable
from submissions.common.kronecker_factors import Uses, uses
from submissions.common.optimizers import State, adamw_at
from submissions.common.products import LiveProblem
from submissions.common.scheduled_method import ScheduledMethod
from submissions.common.staggering import select_due
from workloads.parameters import LayerSpec

FISHERS = ("empirical", "sampled")


class CapturingProblem(LiveProblem, Protocol):
    """A torch problem whose layers can be captured."""

    def forward(self, batch: Batch[torch.Tensor]) -> Evaluation[torch.Tensor]:
        """Logits and mean loss of the live model."""
        ...

    def capture(self) -> AbstractContextManager[dict[str, Capture[torch.Tensor]]]:
        """Record the layers' inputs and output gradients."""
        ...


class Layer:
    """One preconditioned layer: its parameters and its state."""

    def __init__(
        self,
        spec: LayerSpec,
        parameters: Mapping[str, torch.Tensor],
        damping: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        self.spec = spec
        self.damping = damping
        self.weight = parameters[spec.weight]
        self.bias = parameters[spec.bias] if spec.bias else None
        self.state: State = {}

    def matrix_shape(self) -> tuple[int, int]:
        """(out, in), or (out, in + 1) with a bias."""
        out, width = self.weight.flatten(1).shape
        return out, width + (self.bias is not None)

    def is_trained(self) -> bool:
        """Whether no parameter is frozen."""
        return self.weight.requires_grad and (self.bias is None or self.bias.requires_grad)

    def has_gradient(self) -> bool:
        """Whether the last backward pass reached every parameter."""
        has_weight_gradient = self.weight.grad is not None
        return has_weight_gradient and (self.bias is None or self.bias.grad is not None)

    def gradient(self) -> torch.Tensor:
        """The gradient, (out, in), or (out, in + 1) with the bias gradient as the last column."""
        assert self.weight.grad is not None
        flat = self.weight.grad.flatten(1)
        if self.bias is None:
            return flat
        assert self.bias.grad is not None
        return torch.cat([flat, self.bias.grad[:, None]], 1)

    def move(self, step: torch.Tensor, rate: float, decay: float) -> None:
        """W <- (1 - rate decay) W - rate step, for a step shaped as the gradient."""
        parts = [step] if self.bias is None else [step[:, :-1], step[:, -1]]
        values = [self.weight] if self.bias is None else [self.weight, self.bias]
        for value, part in zip(values, parts, strict=True):
            value.mul_(1 - rate * decay).add_(part.reshape(value.shape), alpha=-rate)


class LayerwiseSubmission(ScheduledMethod[torch.Tensor]):
    """KFAC's training loop; related methods implement the four abstract methods.

    Hyperparameters: `learning_rate`, `momentum`, `weight_decay`, `trust` (kappa), `fisher` (one of
    `FISHERS`), `observe_every`, `refresh_every`, `max_dim`; those of the schedule; and those of
    `optimizers.adamw` for parameters outside the preconditioned layers. The optional `clip` bounds
    the gradient norm before preconditioning; statistics use unclipped gradients.
    """

    # Passes move the running statistics, and the live parameters are what is evaluated.
    averages_weights = False
    parametrisation_rules = ("kfac",)
    problem: CapturingProblem

    @abstractmethod
    def start(self, layer: Layer) -> None:
        """Initialise a layer's state."""

    @abstractmethod
    def observe(self, layer: Layer, usage: Uses, targets: int) -> None:
        """Update a layer's statistics from one batch with this many targets."""

    @abstractmethod
    def refresh(self, layer: Layer) -> None:
        """Recompute a layer's expensive quantities (inverses, eigenbases) from its statistics."""

    @abstractmethod
    def direction(self, layer: Layer, gradient: torch.Tensor) -> torch.Tensor:
        """The preconditioned gradient; called once the layer has been refreshed."""

    def setup(self, problem: CapturingProblem, hyperparameters: Hyperparameters) -> None:
        """Split the parameters into preconditioned layers and the rest."""
        if hyperparameters["fisher"] not in FISHERS:
            raise UnknownNameError("fisher", hyperparameters["fisher"], FISHERS)
        self.problem = problem
        self.setup_point(hyperparameters)
        specs = preconditionable(problem.layers, problem.specs, hyperparameters["max_dim"])
        scales = scalings(problem.specs, hyperparameters)
        layers = [
            Layer(spec, problem.parameters, scales.get(spec.weight, Scaling()).damping)
            for spec in specs
        ]
        # AdamW leaves what is frozen where it is, and trains the bias of a frozen matrix
        self.layers = [layer for layer in layers if layer.is_trained()]
        for layer in self.layers:
            self.start(layer)
            layer.state["momentum"] = layer.weight.new_zeros(layer.matrix_shape())
        own = [layer.spec for layer in self.layers]
        owned_names = {spec.weight for spec in own} | {spec.bias for spec in own}
        self.rest = self._adamw([name for name in problem.parameters if name not in owned_names])
        self.steps = 0

    def _adamw(self, names: list[str]) -> AdamW | None:
        """AdamW, with its own parametrisation's learning rates, on the named parameters."""
        if not names:
            return None
        scales = scalings(self.problem.specs, self.point, "adam")
        rates = {name: scales[name].rate for name in names if scales}
        values = {name: self.problem.parameters[name] for name in names}
        return adamw_at(values, rates, self.point, "adam_learning_rate")

    def move(self, stream: Stream[torch.Tensor]) -> torch.Tensor:
        """Train on one batch; return the loss before the update."""
        batch = stream.next()
        for value in self.problem.parameters.values():
            value.grad = None
        observes = bool(self._trained_layers()) and self.steps % self.point["observe_every"] == 0
        loss = self._pass_with_statistics(batch) if observes else self._pass(batch)
        if self.clip:
            torch.nn.utils.clip_grad_norm_(self.problem.parameters.values(), self.clip)
        period = self.point["refresh_every"]
        with torch.no_grad():
            for layer in select_due(self.layers, self.steps, period, is_eager=True):
                self.refresh(layer)
                layer.state["ready"] = True
            self._move()
        self.steps += 1
        return loss.detach()

    def state_dict(self) -> State:
        """Parameters, layer states, AdamW's and the schedule's state, generator and step count."""
        return {
            "parameters": dict(self.problem.parameters),
            "layers": [layer.state for layer in self.layers],
            "rest": self.rest.state_dict() if self.rest else {},
            "steps": self.steps,
            "schedule": schedules.state_of(self._schedule),
            "generator": self.problem.generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state returned by `state_dict`."""
        with torch.no_grad():
            for name, value in self.problem.parameters.items():
                value.copy_(state["parameters"][name])
        for layer, layer_state in zip(self.layers, state["layers"], strict=True):
            layer.state = copy.deepcopy(dict(layer_state))
        if self.rest:
            self.rest.load_state_dict(dict(state["rest"]))
        self.steps = state["steps"]
        schedules.restore(self._schedule, state["schedule"])
        self.problem.generator.set_state(state["generator"])

    def _pass(self, batch: Batch[torch.Tensor]) -> torch.Tensor:
        loss = self.problem.batch_loss(batch)
        loss.backward()
        return loss

    def _pass_with_statistics(self, batch: Batch[torch.Tensor]) -> torch.Tensor:
        """Compute gradients, and each layer's statistics under true or sampled targets."""
        with self.problem.capture() as captures:
            logits, loss = self.problem.forward(batch)
            if self.point["fisher"] == "sampled":
                sampled_targets = self.problem.loss.sample_targets(logits, self.problem.generator)
                self._send_back(self.problem.loss.value(logits, sampled_targets))
                self._observe(captures, sampled_targets.numel())
                loss.backward()
            else:
                loss.backward()
                self._observe(captures, batch.targets.numel())
        return loss

    def _send_back(self, loss: torch.Tensor) -> None:
        """Backpropagate to the layers' outputs, via the cheapest parameter gradient of each."""
        ends = [
            layer.weight if layer.bias is None else layer.bias for layer in self._trained_layers()
        ]
        torch.autograd.grad(loss, ends, retain_graph=True)

    @torch.no_grad()
    def _observe(self, captures: Mapping[str, Capture[torch.Tensor]], targets: int) -> None:
        for layer in self._trained_layers():
            usage = uses(layer.spec, layer.weight.shape, captures[layer.spec.name])
            self.observe(layer, usage, targets)

    def _trained_layers(self) -> list[Layer]:
        """The layers that have not been frozen since they were set up."""
        return [layer for layer in self.layers if layer.is_trained()]

    def _move(self) -> None:
        """Update the layers that are ready, within the trust region, and the other parameters."""
        rate, point = self.learning_rate() or 0.0, self.point
        ready = [x for x in self.layers if "ready" in x.state and x.has_gradient()]
        gradients = [layer.gradient() for layer in ready]
        steps = [self.direction(*pair) for pair in zip(ready, gradients, strict=True)]
        shrink = _shrinkage(gradients, steps, rate, point["trust"]) if ready else 1.0
        for layer, step in zip(ready, steps, strict=True):
            layer.state["momentum"].mul_(point["momentum"]).add_(step * shrink)
            layer.move(layer.state["momentum"], rate, point["weight_decay"])
        if self.rest:
            for group in self.rest.param_groups:
                group["lr"] = group["whole_rate"] * self.factor
            self.rest.step()


def _shrinkage(
    gradients: list[torch.Tensor], steps: list[torch.Tensor], rate: float, trust: float
) -> torch.Tensor:
    """min(1, sqrt(kappa / (eta^2 <g, d>))): bounds eta^2 d^T F d, about twice the KL, by kappa."""
    products = [(g * d).sum() for g, d in zip(gradients, steps, strict=True)]
    size = torch.stack(products).sum().abs() * rate**2
    return (trust / size.clamp(min=torch.finfo(size.dtype).tiny)).sqrt().clamp(max=1.0)
