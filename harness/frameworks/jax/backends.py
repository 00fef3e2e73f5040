"""What the load table names."""

from __future__ import annotations

from jax import Array

from harness.frameworks.base import Backends
from harness.frameworks.jax.evaluation import JaxEvaluationBackend
from harness.frameworks.jax.training import JaxTrainingBackend

BACKENDS: Backends[Array] = Backends(JaxEvaluationBackend, JaxTrainingBackend, preloads=("optax",))
