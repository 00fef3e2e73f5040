"""AlgoPerf's vocabulary: what a submission imports as `algoperf.spec`.

Names and values are those of its interface (github.com/mlcommons/algorithmic-efficiency, version
0.6); most are used in annotations alone.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

Tensor = Any
Shape = Any
ParameterShapeTree = dict[str, Any]
ParameterKey = str
ParameterContainer = Any
ParameterTypeTree = dict[str, Any]
RandomState = Any
OptimizerState = Any
Hyperparameters = Any
Timing = int
Steps = int
ModelAuxiliaryState = Any
ModelInitState = tuple[Any, Any]
UpdateReturn = tuple[Any, Any, Any]
InitOptimizerFn = UpdateParamsFn = PrepareForEvalFn = DataSelectionFn = Any


class LossType(Enum):
    """The loss of a workload."""

    SOFTMAX_CROSS_ENTROPY = 0
    SIGMOID_CROSS_ENTROPY = 1
    MEAN_SQUARED_ERROR = 2
    CTC_LOSS = 3
    MEAN_ABSOLUTE_ERROR = 4


class ForwardPassMode(Enum):
    """Whether a pass trains or evaluates."""

    TRAIN = 0
    EVAL = 1


class ParameterType(Enum):
    """What a parameter does in the model."""

    WEIGHT = 0
    BIAS = 1
    CONV_WEIGHT = 2
    BATCH_NORM_SCALE = 3
    BATCH_NORM_BIAS = 4
    LAYER_NORM_SCALE = 5
    LAYER_NORM_BIAS = 6
    EMBEDDING = 7
    ATTENTION_Q = 8
    ATTENTION_K = 9
    ATTENTION_V = 10
    ATTENTION_OUT = 11
    ATTENTION_QKV = 12
    ATTENTION_KV = 13
    ATTENTION_BIAS = 14


class ShapeTuple:
    """A shape that is one leaf of a tree."""

    def __init__(self, shape_tuple: tuple[int, ...]) -> None:
        self.shape_tuple = shape_tuple

    def __repr__(self) -> str:
        return f"ShapeTuple({self.shape_tuple})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeTuple) and self.shape_tuple == other.shape_tuple

    def __hash__(self) -> int:
        return hash(self.shape_tuple)


class Workload:
    """First argument of a submission's functions; see `harness.submission.algoperf.workload`."""


class TrainingCompleteError(Exception):
    """Raised by an `update_params` that wants no further step."""
