"""KFAC as in its source: step length and momentum from the exact Fisher, adaptive damping.

    Delta = -F^_t^-1 g_t,   F^ block-diagonal or block-tridiagonal, damped by gamma: `inverses`
    delta = alpha Delta + mu delta_{t-1},   (alpha, mu) = argmin M(delta)
    M(delta) = <g_t, delta> + delta^T (F_t + (lambda + eta_w) I) delta / 2
    w_{t+1} = w_t + eta_t delta

g_t is the gradient of the batch's loss with eta_w ||w||^2 / 2 (`weight_decay`), F_t the batch's
exact Fisher, by products. Every T1 = `adapt_every` steps, with
rho = (h(w + delta) - h(w)) / M(delta),

    lambda <- omega_1 lambda if rho > 3/4,   lambda / omega_1 if rho < 1/4,   omega_1 = 0.95^T1

lambda begins at `damping`, gamma at sqrt(lambda + eta_w). The inverse is recomputed at each of the
first three steps and every T2 = `refresh_every` steps; in the latter case with gamma, omega_2 gamma
and gamma / omega_2, omega_2 = 0.95^(T2 / 2), of which the one with the least M is kept. The factors
are averages, with weight min(1 - 1/t, `factor_beta`) on the past, under targets sampled from the
model.

Source: Martens and Grosse (2015), Algorithm 2 and sections 4 to 7; the thesis calls this rescaling
and damping essential.

Deviations: eta_t, 1 in the source, is `learning_rate` under the schedule. The source's T2 and T3
are one number. Its averages of iterates are `average = "ema"` here. The whole batch is used for the
factors and for the Fisher, where the source uses parts of it. Like the source, it is for chains of
fully connected layers with one target per example; other models are refused.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Batch, Stream
from submissions.common.flat import add, flatten, unflatten
from submissions.common.kronecker_factors import rows, uses
from submissions.common.layerwise import CapturingProblem
from submissions.common.methods import FixedLoss, Method, fresh_random
from submissions.common.products import Linearisation, Product, add_damping

from .inverses import INVERSES, Factors, Parts, apply_inverse

FIRST_STEPS = 3
"""The number of first steps at each of which the inverse is recomputed."""
OMEGA = 0.95
"""The base of the factors on lambda and gamma, per step."""
GOOD, BAD = 0.75, 0.25
"""The ratios of gain to model beyond which lambda changes."""


class Model(NamedTuple):
    """The quadratic model M of one step."""

    gradient: Tensor
    product: Product
    """v -> (F + (lambda + eta_w) I) v."""
    update: Tensor
    """The last update."""
    image: Tensor
    """The product of the last update, whichever damping is tried."""


class Proposal(NamedTuple):
    """An update, the quadratic model's value at it, and its damping and inverse."""

    delta: Tensor
    model: float
    gamma: float
    parts: Parts


class Submission(Method):
    """The method of Martens and Grosse."""

    problem: CapturingProblem

    def begin(self) -> None:
        """Check the point and the model; start with factors of zero and no update."""
        if self.point["inverse"] not in INVERSES:
            raise UnknownNameError("inverse", self.point["inverse"], INVERSES)
        self.layers = self.problem.layers
        self._refuse_others()
        shapes = [self._shape(i) for i in range(len(self.layers))]
        new, vector = self.parameters[0].new_zeros, flatten(self.parameters)
        factors: Factors = {
            "a": [new(width, width) for _, width in shapes],
            "s": [new(out, out) for out, _ in shapes],
            "a_next": [new(one[1], two[1]) for one, two in pairwise(shapes)],
            "s_next": [new(one[0], two[0]) for one, two in pairwise(shapes)],
        }
        decay = float(self.point["weight_decay"])
        self.state |= {
            "factors": factors,
            "parts": {},
            "update": torch.zeros_like(vector),
            "lambda": float(self.point["damping"]),
            "gamma": math.sqrt(float(self.point["damping"]) + decay),
            "steps": 0,
        }

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """One update; return the loss before it, without the decay's part."""
        batch = stream.next()
        random = fresh_random(self.problem)
        line = Linearisation(self.problem, batch, random)
        vector = flatten(self.parameters)
        gradient = self.clip_gradients(line.gradient()) + self.point["weight_decay"] * vector
        if not bool(torch.isfinite(gradient).all()):
            add(self.parameters, torch.full_like(vector, torch.nan))
            return line.loss
        self._observe(batch)
        self.state["steps"] += 1
        proposals = self._proposals(self._model(line, gradient))
        best = min(proposals, key=lambda proposal: proposal.model)
        delta = best.delta * (self.learning_rate() or 0.0)
        self.state |= {"gamma": best.gamma, "parts": best.parts, "update": delta}
        if self.state["steps"] % int(self.point["adapt_every"]) == 0:
            loss_of = FixedLoss(self.problem, batch, random)
            gain = self._objective(loss_of, vector + best.delta)
            gain -= self._objective(loss_of, vector)
            self._adapt(gain, best.model)
        add(self.parameters, delta)
        return line.loss

    def _model(self, line: Linearisation, gradient: Tensor) -> Model:
        damping = self.state["lambda"] + float(self.point["weight_decay"])
        product, update = add_damping(line.gauss_newton(), damping), self.state["update"]
        return Model(gradient, product, update, product(update))

    def _proposals(self, model: Model) -> list[Proposal]:
        """One update for each damping that is tried, several where a refresh is due."""
        period, steps = int(self.point["refresh_every"]), self.state["steps"]
        gamma, is_due = self.state["gamma"], steps % period == 0
        if not is_due and steps > FIRST_STEPS:
            return [self._proposal(model, gamma, self.state["parts"])]
        omega = OMEGA ** (period / 2)
        gammas = (gamma, gamma * omega, gamma / omega) if is_due else (gamma,)
        make = INVERSES[self.point["inverse"]]
        return [self._proposal(model, g, make(self.state["factors"], g)) for g in gammas]

    def _proposal(self, model: Model, gamma: float, parts: Parts) -> Proposal:
        """The combination of the preconditioned gradient and the last update that minimises M."""
        gradient = model.gradient
        direction = -self._vector(apply_inverse(parts, self._matrices(gradient)))
        directions = torch.stack([direction, model.update])
        images = torch.stack([model.product(direction), model.image])
        inner, slopes = (directions @ images.mT).double(), (directions @ gradient).double()
        if not bool(torch.isfinite(inner).all()):
            return Proposal(torch.full_like(gradient, torch.nan), math.inf, gamma, parts)
        # the first update has no predecessor: its row is zero, as is what the inverse makes of it
        weights = -torch.linalg.pinv(inner, hermitian=True) @ slopes
        delta = weights.to(gradient.dtype) @ directions
        return Proposal(delta, 0.5 * float(weights @ slopes), gamma, parts)

    def _adapt(self, gain: float, model: float) -> None:
        """Adapt lambda to the ratio of the actual change of h to the model's."""
        omega = OMEGA ** int(self.point["adapt_every"])
        ratio = gain / model if model else math.nan
        if ratio > GOOD:
            self.state["lambda"] *= omega
        elif not ratio >= BAD:
            self.state["lambda"] /= omega

    def _objective(self, loss_of: FixedLoss, vector: Tensor) -> float:
        decay = 0.5 * float(self.point["weight_decay"])
        return loss_of.value(vector) + decay * float(vector @ vector)

    def _observe(self, batch: Batch[Tensor]) -> None:
        """Update all factors with inputs and output gradients under sampled targets."""
        with self.problem.capture() as captures:
            logits, _ = self.problem.forward(batch)
            targets = self.problem.loss.sample_targets(logits.detach(), self.problem.generator)
            # of all parameters, so that the gradients reach every layer's output
            torch.autograd.grad(self.problem.loss.value(logits, targets), self.parameters)
        pairs = []
        for layer in self.layers:
            weight = self.problem.parameters[layer.weight]
            pair = rows(uses(layer, weight.shape, captures[layer.name]), len(targets))
            pairs.append([one.to(weight.dtype) for one in pair])
        keep = min(1.0 - 1.0 / (self.state["steps"] + 1), float(self.point["factor_beta"]))
        factors: Factors = self.state["factors"]
        for i, (x, y) in enumerate(pairs):
            factors["a"][i].lerp_(x.mT @ x, 1.0 - keep)
            factors["s"][i].lerp_(y.mT @ y, 1.0 - keep)
            if i + 1 < len(pairs):
                factors["a_next"][i].lerp_(x.mT @ pairs[i + 1][0], 1.0 - keep)
                factors["s_next"][i].lerp_(y.mT @ pairs[i + 1][1], 1.0 - keep)

    def _shape(self, i: int) -> tuple[int, int]:
        """The shape of a layer's gradient with the bias as its last column."""
        out, width = self.problem.parameters[self.layers[i].weight].shape
        return out, width + (self.layers[i].bias is not None)

    def _matrices(self, vector: Tensor) -> list[Tensor]:
        """A vector over all parameters as a matrix for each layer."""
        by_name = dict(
            zip(self.problem.parameters, unflatten(vector, self.parameters), strict=True)
        )
        return [
            by_name[layer.weight]
            if layer.bias is None
            else torch.cat([by_name[layer.weight], by_name[layer.bias][:, None]], 1)
            for layer in self.layers
        ]

    def _vector(self, matrices: list[Tensor]) -> Tensor:
        """The inverse of `_matrices`."""
        by_name = {}
        for layer, matrix in zip(self.layers, matrices, strict=True):
            width = self.problem.parameters[layer.weight].shape[1]
            by_name[layer.weight] = matrix[:, :width]
            if layer.bias is not None:
                by_name[layer.bias] = matrix[:, width]
        return flatten(by_name[name] for name in self.problem.parameters)

    def _refuse_others(self) -> None:
        layer_names = {name for layer in self.layers for name in (layer.weight, layer.bias)}
        other = [name for name in self.problem.parameters if name not in layer_names]
        odd = [one.name for one in self.layers if one.kind != "linear" or one.shared_over]
        if other or odd:
            what = f"parameter '{other[0]}' is in none" if other else f"layer '{odd[0]}' is not one"
            raise HarnessError(
                f"paper_kfac supports only chains of fully connected layers; {what}",
                "use kfac, which trains other parameters with AdamW",
            )
