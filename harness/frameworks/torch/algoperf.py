"""AlgoPerf's workload interface in torch, and the other modules that its submissions import."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from harness.core.errors import HarnessError
from harness.frameworks.torch.loading import assign
from harness.frameworks.torch.problem import TorchProblem, torch_problem
from harness.frameworks.torch.unsaved_state import UnsavedState
from harness.submission.algoperf.adapter import AlgoPerfSubmission
from harness.submission.algoperf.location import entry_file
from harness.submission.algoperf.modules import load_module
from harness.submission.algoperf.spec import ForwardPassMode
from harness.submission.algoperf.workload import AlgoPerfWorkload
from harness.submission.interface import Batch, Hyperparameters, Problem
from harness.submission.state import StateDict, arrays_of, state_of


def load_algoperf(location: str, device: torch.device) -> AlgoPerfSubmission[Tensor]:
    """Load a submission written for AlgoPerf; it is not set up yet."""

    def pytorch_setup() -> tuple[bool, int, torch.device, int]:
        """Not distributed, rank 0, the trial's device, and the number of GPUs."""
        return False, 0, device, int(device.type == "cuda")

    utilities = {"pytorch_utils": {"pytorch_setup": pytorch_setup}}
    return AlgoPerfSubmission(load_module(entry_file(location), utilities, {}), TorchBridge())


class TorchWorkload(AlgoPerfWorkload[Tensor]):
    """Forward passes through the live model, and the loss of logits."""

    def __init__(self, problem: TorchProblem, point: Hyperparameters) -> None:
        super().__init__(problem, point)
        self._problem = problem

    def model_fn(  # noqa: PLR0917, its arguments are AlgoPerf's
        self,
        params: nn.Module,
        augmented_and_preprocessed_input_batch: Mapping[str, Tensor],
        model_state: None,
        mode: ForwardPassMode,
        rng: object,
        update_batch_norm: bool,
        dropout_rate: float | None = None,
    ) -> tuple[Tensor, None]:
        """Logits (batch, ..., outputs) of a module in the declared precision."""
        del model_state, rng
        is_training, problem = mode is ForwardPassMode.TRAIN, self._problem
        rate = self.dropout_rate(dropout_rate) if is_training else None
        model = None if params is problem.model else params
        if rate is not None and model is None:
            model = problem.model_at_dropout(float(rate))
        for module in (params, model):
            if module is not None and module.training != is_training:
                module.train(is_training)
        inputs = augmented_and_preprocessed_input_batch["inputs"]
        with nullcontext() if is_training else torch.no_grad():
            logits = problem.logits(
                inputs, model, moves_statistics=update_batch_norm and is_training
            )
        return logits, None

    def loss_fn(
        self,
        label_batch: Tensor,
        logits_batch: Tensor,
        mask_batch: Tensor | None = None,
        label_smoothing: float = 0.0,
    ) -> dict[str, Tensor]:
        """Sum of the losses, number of valid targets, and the loss of each target.

        Smoothed labels y' = (1 - s) y + s / K have the loss (1 - s) l(y) - s mean_k log p_k.
        """
        losses = self._problem.loss.per_target(logits_batch, label_batch)
        if label_smoothing and self._problem.loss_name == "cross_entropy":
            log_probabilities = torch.log_softmax(logits_batch.flatten(0, -2), -1)
            losses = (1.0 - label_smoothing) * losses - label_smoothing * log_probabilities.mean(-1)
        losses = losses.reshape(label_batch.shape)
        valid = torch.tensor(float(losses.numel()), device=losses.device)
        if mask_batch is not None:
            mask = _like(mask_batch, losses)
            losses, valid = losses * mask, mask.sum()
        return {"summed": losses.sum(), "n_valid_examples": valid, "per_example": losses}


def _like(mask: Tensor, losses: Tensor) -> Tensor:
    """A mask of examples or targets, expanded to the shape and dtype of the per-target losses."""
    leading = mask.reshape(mask.shape + (1,) * (losses.ndim - mask.ndim))
    return leading.to(losses.dtype).expand_as(losses)


class TorchBridge:
    """`harness.submission.algoperf.adapter.Bridge` in torch: the container is the live module."""

    def begin(
        self, problem: Problem[Tensor], point: Hyperparameters
    ) -> tuple[TorchWorkload, nn.Module, None]:
        """The workload, the live model, and None for the model state, which the module holds."""
        self._problem = torch_problem(problem)
        return TorchWorkload(self._problem, point), self._problem.model, None

    def watch(self, optimizer_state: Any) -> None:
        """Record the attributes of its optimizers before the first step."""
        values = optimizer_state.values() if isinstance(optimizer_state, Mapping) else ()
        problem = self._problem
        self._unsaved_states = [
            UnsavedState(value, problem.model, problem.generator)
            for value in values
            if isinstance(value, Optimizer)
        ]

    def random(self, step: int) -> tuple[Any, Any, Any]:
        """Pairs of integers below 2^31, in the form of AlgoPerf's numpy generator."""
        words = np.random.SeedSequence([self._problem.seed, step]).generate_state(6)
        select, update, prepare = (words >> 1).astype(np.int32).reshape(3, 2)
        return select, update, prepare

    def batch(self, batch: Batch[Tensor]) -> dict[str, Any]:
        """Inputs and targets by name."""
        return {"inputs": batch.inputs, "targets": batch.targets}

    def take_update(self, container: nn.Module, model_state: object) -> None:
        """If the update returned another module, copy its values into the live model."""
        del model_state
        live = self._problem.model
        if container is not live:
            with torch.no_grad():
                live.load_state_dict(container.state_dict())

    def parameters(self, container: nn.Module) -> Mapping[str, Tensor]:
        """The live parameters; `take_update` has copied any other module's values into them."""
        del container
        return self._problem.parameters

    def state_dict(self, optimizer_state: Any) -> StateDict[Tensor]:
        """The `state_dict` of every object that has one, and all other values as they are.

        Raises:
            HarnessError: the optimizer state is not a dictionary, or an optimizer keeps state
                outside its `state_dict`.
        """
        for state in self._unsaved_states:
            state.refuse()
        if not isinstance(optimizer_state, Mapping):
            raise HarnessError(
                f"the optimizer's state is a {type(optimizer_state).__name__}",
                "a checkpoint takes a dictionary of optimizers, schedulers, tensors and numbers",
            )
        objects = {n: v for n, v in optimizer_state.items() if hasattr(v, "state_dict")}
        return {
            "objects": {name: value.state_dict() for name, value in objects.items()},
            "values": {n: v for n, v in optimizer_state.items() if n not in objects},
        }

    def load_state_dict(
        self, optimizer_state: Any, container: nn.Module, state: StateDict[Tensor]
    ) -> tuple[Any, nn.Module, None]:
        """Restore everything into the objects of a fresh setup."""
        stored_state = state_of(state, "optimizer")
        for name, own in state_of(stored_state, "objects").items():
            optimizer_state[name].load_state_dict(own)
        optimizer_state.update(cast("Mapping[str, Any]", stored_state["values"]))
        assign(self._problem, arrays_of(state, "parameters"))
        return optimizer_state, container, None
