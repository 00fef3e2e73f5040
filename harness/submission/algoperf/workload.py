"""The `workload` argument of AlgoPerf's functions, made from a problem."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping
from typing import Any, Generic, Protocol

from harness.core.errors import HarnessError
from harness.submission.algoperf import spec
from harness.submission.interface import Hyperparameters, Problem
from harness.submission.state import ArrayT
from workloads.parameters import ParameterSpec, Role
from workloads.spec import Sizes

LOSS_TYPES = {
    "cross_entropy": spec.LossType.SOFTMAX_CROSS_ENTROPY,
    "squared_error": spec.LossType.MEAN_SQUARED_ERROR,
}
EVALUATIONS = 20
"""The number of evaluation periods in a budget. Some submissions count time in AlgoPerf's
evaluation periods, which here do not match the referee's looks."""
_TYPES = {
    Role.HIDDEN_MATRIX: spec.ParameterType.WEIGHT,
    Role.CONVOLUTION: spec.ParameterType.CONV_WEIGHT,
    Role.EMBEDDING: spec.ParameterType.EMBEDDING,
    Role.OUTPUT: spec.ParameterType.WEIGHT,
    Role.NORM: spec.ParameterType.LAYER_NORM_SCALE,
    Role.BIAS: spec.ParameterType.BIAS,
    Role.VECTOR: spec.ParameterType.WEIGHT,
}
_BATCH_NORM = {
    "weight": spec.ParameterType.BATCH_NORM_SCALE,
    "bias": spec.ParameterType.BATCH_NORM_BIAS,
}


class AlgoPerfProblem(Problem[ArrayT], Protocol[ArrayT]):
    """What the adapter needs of a problem beyond what every submission sees."""

    @property
    def loss_name(self) -> str:
        """The loss, by its name in `workloads.losses`."""
        ...

    @property
    def budget_s(self) -> float:
        """The whole budget in seconds."""
        ...

    @property
    def has_dropout(self) -> bool:
        """Whether the model has a dropout rate."""
        ...


class AlgoPerfWorkload(spec.Workload, Generic[ArrayT]):
    """The properties of a workload under AlgoPerf's names; a framework adds `model_fn` and
    `loss_fn`.

    Held-out data, targets and `_build_input_queue` are missing.
    """

    metrics_logger = None
    target_metric_name = "loss"
    """`eval_results` is always empty: validation results stay with the referee."""

    def __init__(self, problem: AlgoPerfProblem[ArrayT], point: Hyperparameters) -> None:
        refuse_unused(point, problem.loss_name, has_dropout=problem.has_dropout)
        self.has_dropout = problem.has_dropout
        self.point_rate: float | None = point.get("dropout_rate")
        self.step_hint = problem.step_hint
        self.num_train_examples = problem.train_examples
        self.max_allowed_runtime_sec = problem.budget_s
        self.eval_period_time_sec = problem.budget_s / EVALUATIONS
        self.loss_type = LOSS_TYPES[problem.loss_name]
        self.param_shapes = {n: spec.ShapeTuple(s.shape) for n, s in problem.specs.items()}
        self.model_params_types = {
            name: _type_of(one, problem.buffers) for name, one in problem.specs.items()
        }
        self._outputs = {n for n, s in problem.specs.items() if s.role is Role.OUTPUT}

    def dropout_rate(self, rate: Any) -> Any:
        """The dropout rate of a training pass; None for the model's own.

        A model without dropout ignores the argument, as AlgoPerf's do. Before version 0.6 the rate
        was not an argument but a hyperparameter.

        Args:
            rate: the argument of `model_fn`, or None.
        """
        if not self.has_dropout:
            return None
        return self.point_rate if rate is None else rate

    def is_output_params(self, param_key: str) -> bool:
        """Whether a parameter is the output layer's weight."""
        return param_key in self._outputs


def _type_of(one: ParameterSpec, buffers: Mapping[str, object]) -> spec.ParameterType:
    """A parameter's type, from its role; a norm with running statistics is batch normalisation."""
    layer, _, kind = one.name.rpartition(".")
    if kind in _BATCH_NORM and any(name.rpartition(".")[0] == layer for name in buffers):
        return _BATCH_NORM[kind]
    return _TYPES[one.role]


def point_object(point: Hyperparameters) -> Any:
    """A point as AlgoPerf passes it: a named tuple, so that `hasattr` says what is in it."""
    fields = namedtuple("Hyperparameters", list(point))  # type: ignore[misc]

    class Point(fields):
        """Raise an error that lists the existing names, for one that does not exist."""

        def __getattr__(self, name: str) -> object:
            raise AttributeError(
                f"the point has no hyperparameter '{name}'; it has: {', '.join(point) or 'none'}; "
                "give the submission's search space by --space FILE.json"
            )

    return Point(**point)


def has_rate(sizes: Sizes) -> bool:
    """Whether a model of some sizes has a dropout rate among them."""
    return "dropout" in sizes


def refuse_unused(point: Hyperparameters, loss_name: str, *, has_dropout: bool) -> None:
    """Check that a workload's model and loss support the point's dropout and label smoothing.

    Raises:
        HarnessError: the point sets one that the workload does not have.
    """
    lacking = {"aux_dropout_rate": "the workload's model has no such dropout"}
    if not has_dropout:
        lacking["dropout_rate"] = "the workload's model has no dropout"
    if loss_name != "cross_entropy":
        lacking["label_smoothing"] = "the workload's targets are real numbers"
    for name, why in lacking.items():
        if point.get(name, 0.0) != 0.0:
            raise HarnessError(
                f"{name} is {point[name]}, and {why}: it would have no effect",
                f"set it to 0 here: --set {name}=0.0",
            )
