"""Newton-Muon: Muon on gradients preconditioned by the inverse second moment of layer inputs.

For a layer W (r, c) with inputs Z (c, N) at the N locations of a batch, and K_0 = I / 1000,

    at steps k, 2k, ...:  K <- beta K + (1 - beta) Z Z^T / N,   P = (K + gamma tr(K) / c I)^-1
    G~_t = G_t P,   P = I before step k
    M_t, M~_t, X_K and W_{t+1} as in `submissions.muon`, with G~_t in place of G_t

on hidden matrices and kernels, AdamW elsewhere, with beta = `input_beta`, gamma = `ridge` and
k = `refresh_every`. The orthogonal factor of G P is the step of a Newton method that takes the
curvature in a layer's outputs to be isotropic; Muon also neglects the curvature in its inputs. P is
KFAC's on the inputs' side.

Source: Du and Su (2026), "The Newton-Muon Optimizer", Algorithm 1, and the authors' code,
github.com/zhehangdu/Newton-Muon (k = 32; k = 64 in modded-nanogpt).

Deviations: those of `submissions.muon`. k is smaller by default, as runs here are shorter. Inputs
of a convolution are patches under the kernel. A layer with a dimension above `max_dim`, and one
whose weight another layer shares, keeps P = I; the authors' code splits the inputs of the widest
layers into four blocks. Query, key and value, separate here, have equal K of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from harness.submission.interface import Batch, Capture, Hyperparameters, Stream
from submissions.common.factored_layers import preconditionable
from submissions.common.kronecker_factors import accumulate, damped_inverse, uses
from submissions.common.layerwise import CapturingProblem
from submissions.common.methods import Method
from submissions.common.optimizers import State
from submissions.common.products import LiveProblem
from submissions.muon.submission import ROLES, Muon, build_relative
from workloads.parameters import LayerSpec

INITIAL = 1e-3
"""K_0 over the identity."""


class Submission(Method):
    """Newton-Muon on hidden layers, AdamW on the rest."""

    # Forward passes use the live model, and the live parameters are what is evaluated.
    averages_weights = False
    problem: CapturingProblem

    def setup(self, problem: LiveProblem, hyperparameters: Hyperparameters) -> None:
        """Store the problem; spikes are aligned with the steps that refresh the inverses."""
        phase = int(hyperparameters["refresh_every"]) - 1
        super().setup(problem, {"spike_phase": phase, **hyperparameters})

    def begin(self) -> None:
        """Build Muon, and start the second moments of the layers that it trains."""
        problem, specs = self.problem, self.problem.specs
        self.optimizer, _ = build_relative(Muon, problem, self.point)
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        layers = preconditionable(problem.layers, specs, int(self.point["max_dim"]))
        self.layers = [layer for layer in layers if specs[layer.weight].role in ROLES]
        self.state = {"steps": 0, "moments": {}, "inverses": {}}
        for layer in self.layers:
            weight = problem.parameters[layer.weight]
            width = weight.flatten(1).shape[1]
            eye = torch.eye(width, dtype=torch.float32, device=weight.device)
            self.state["moments"][layer.weight] = INITIAL * eye

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """Train on one batch; return the loss before the update."""
        batch = stream.next()
        self.optimizer.zero_grad()
        self.state["steps"] += 1
        is_due = bool(self.layers) and self.state["steps"] % self.point["refresh_every"] == 0
        loss = self._pass_with_statistics(batch) if is_due else self._pass(batch)
        if self.clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        for name, inverse in self.state["inverses"].items():
            weight = self.problem.parameters[name]
            if weight.grad is not None:
                flat = weight.grad.flatten(1)
                weight.grad = (flat @ inverse.to(flat.dtype)).view_as(weight)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.factor
        self.optimizer.step()
        return loss.detach()

    def state_dict(self) -> State:
        """The state of `Method` and the optimizer's."""
        return {**super().state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state returned by `state_dict`."""
        super().load_state_dict(state)
        self.optimizer.load_state_dict(self.state.pop("optimizer"))

    def _pass(self, batch: Batch[Tensor]) -> Tensor:
        loss = self.problem.batch_loss(batch)
        loss.backward()
        return loss

    def _pass_with_statistics(self, batch: Batch[Tensor]) -> Tensor:
        """Compute gradients, and from the same passes the second moments and their inverses."""
        with self.problem.capture() as captures:
            _, loss = self.problem.forward(batch)
            loss.backward()
        for layer in self.layers:
            if layer.name in captures:  # a frozen layer may have none
                self._refresh(layer, captures[layer.name])
        return loss

    @torch.no_grad()
    def _refresh(self, layer: LayerSpec, capture: Capture[Tensor]) -> None:
        """Add a batch to K, and invert it."""
        shape = self.problem.parameters[layer.weight].shape
        inputs = uses(replace(layer, bias=None), shape, capture).inputs.flatten(0, 1)
        moment: Tensor = self.state["moments"][layer.weight]
        accumulate(moment, inputs / len(inputs) ** 0.5, self.point["input_beta"])
        damping = self.point["ridge"] * moment.diagonal().mean()
        self.state["inverses"][layer.weight] = damped_inverse(moment, damping)
