"""Small submissions in both generations of AlgoPerf's interface, and what drives them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.frameworks.kit import Kit

COMMON = """
from {package} import spec


def get_batch_size(workload_name):
    raise ValueError(f"Unsupported workload name: {{workload_name}}.")


def data_selection(workload, input_queue, optimizer_state, current_param_container,
                   model_state, hyperparameters, global_step, rng):
    return next(input_queue)
"""
TORCH = """
import torch
from {package}.pytorch_utils import pytorch_setup

DEVICE = pytorch_setup()[2]


def init_optimizer_state(workload, model_params, model_state, hyperparameters, rng):
    optimizer = torch.optim.SGD(
        model_params.parameters(), lr=hyperparameters.learning_rate, momentum=0.9
    )
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=workload.step_hint)
    return {{"optimizer": optimizer, "scheduler": schedule, "updates": 0}}


def update_params(workload, current_param_container, current_params_types, model_state,
                  hyperparameters, batch, loss_type, optimizer_state, eval_results,
                  global_step, rng{train_state}):
    current_param_container.train()
    optimizer_state["optimizer"].zero_grad()
    logits, model_state = workload.model_fn(
        params=current_param_container,
        augmented_and_preprocessed_input_batch=batch,
        model_state=model_state,
        mode=spec.ForwardPassMode.TRAIN,
        rng=rng,
        update_batch_norm=True{dropout})
    smoothing = hyperparameters.smoothing if hasattr(hyperparameters, "smoothing") else 0.0
    losses = workload.loss_fn(label_batch=batch["targets"], logits_batch=logits,
                              mask_batch=batch.get("weights"), label_smoothing=smoothing)
    (losses["summed"] / losses["n_valid_examples"]).backward()
    optimizer_state["optimizer"].step()
    optimizer_state["scheduler"].step()
    optimizer_state["updates"] += 1
    return optimizer_state, current_param_container, model_state
"""
JAX_COMMON = """
import functools

import jax
import jax.numpy as jnp
import optax


def init_optimizer_state(workload, model_params, model_state, hyperparameters, rng):
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape_tuple), workload.param_shapes)
    rate = optax.linear_schedule(
        hyperparameters.learning_rate / 3, hyperparameters.learning_rate, workload.step_hint)
    init, update = optax.sgd(rate, momentum=0.9)
    return {replicate}(init(zeros)), update


def train_step(workload, update, model_state, state, parameters, batch, rng, dropout_rate):
    def mean_loss(parameters):
        logits, new_state = workload.model_fn(
            parameters, batch, model_state, spec.ForwardPassMode.TRAIN, rng,
            update_batch_norm=True{dropout})
        losses = workload.loss_fn(label_batch=batch["targets"], logits_batch=logits,
                                  mask_batch=batch.get("weights"), label_smoothing=0.0)
        return losses["summed"], (losses["n_valid_examples"], new_state)

    (_, (count, model_state)), gradients = jax.value_and_grad(mean_loss, has_aux=True)(parameters)
    {reduce}
    gradients = jax.tree.map(lambda g: g / count, gradients)
    updates, state = update(gradients, state, parameters)
    return state, optax.apply_updates(parameters, updates), model_state
"""
JAX = (
    JAX_COMMON
    + """

def update_params(workload, current_param_container, current_params_types, model_state,
                  hyperparameters, batch, loss_type, optimizer_state, eval_results,
                  global_step, rng, train_state=None):
    state, update = optimizer_state
    replicated = jax_sharding_utils.get_replicate_sharding()
    sharded = jax_sharding_utils.get_batch_dim_sharding()
    step = jax.jit(
        train_step, static_argnums=(0, 1), donate_argnums=(2, 3, 4),
        in_shardings=(replicated, replicated, replicated, sharded, replicated, replicated),
        out_shardings=(replicated, replicated, replicated))
    state, parameters, model_state = step(
        workload, update, model_state, state, current_param_container, batch, rng, 0.0)
    return (state, update), parameters, model_state
"""
)
JAX_PMAP = (
    JAX_COMMON
    + """

pmapped = functools.partial(
    jax.pmap, axis_name="batch", in_axes=(None, None, 0, 0, 0, 0, 0, None),
    static_broadcasted_argnums=(0, 1), donate_argnums=(2, 3, 4))(train_step)


def update_params(workload, current_param_container, current_params_types, model_state,
                  hyperparameters, batch, loss_type, optimizer_state, eval_results,
                  global_step, rng):
    state, update = optimizer_state
    rngs = jax.random.split(rng, jax.local_device_count())
    state, parameters, model_state = pmapped(
        workload, update, model_state, state, current_param_container, batch, rngs, 0.0)
    return (state, update), parameters, model_state
"""
)
TEXTS = {
    "torch": COMMON.format(package="algoperf")
    + TORCH.format(
        package="algoperf",
        train_state=", train_state=None",
        dropout=",\n        dropout_rate=getattr(hyperparameters, 'dropout_rate', 0.0)",
    ),
    "torch_v05": COMMON.format(package="algorithmic_efficiency")
    + TORCH.format(package="algorithmic_efficiency", train_state="", dropout=""),
    "jax": COMMON.format(package="algoperf")
    + "from algoperf import jax_sharding_utils\n"
    + JAX.format(replicate="", reduce="", dropout=", dropout_rate=dropout_rate"),
    "jax_v05": COMMON.format(package="algorithmic_efficiency")
    + "from flax import jax_utils\n"
    + JAX_PMAP.format(
        replicate="jax_utils.replicate",
        reduce='count, gradients = jax.lax.psum((count, gradients), axis_name="batch")',
        dropout="",
    ),
}
"""Momentum with a linear warm-up over the step hint, by framework and generation."""


def location(folder: Path, text: str) -> str:
    """Where the submission of a text lies once it is written."""
    (folder / "submission.py").write_text(dedent(text))
    return f"algoperf:{folder}/submission.py"


def weights(kit: Kit, submission: Any) -> dict[str, Any]:
    """Its parameters to be evaluated, as numpy's."""
    return kit.backend.export(submission.eval_parameters())
