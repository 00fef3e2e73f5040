"""Maximal-update parametrisation (muP), relative to base widths or absolute, for any optimizer.

A point asks for one as `parametrisation = "<scheme>_<rule>"`: the scheme is `mup` or
`absolute_mup`, the rule says how the optimizer's step depends on the gradient's scale,

    sgd       step ~ gradient: sgd, heavy_ball, nesterov, mda,
              dual_averaging, schedule_free_sgd                                      e = 0
    shampoo   step ~ orthogonal matrix: shampoo without grafting                         e = 1/2
    kfac      step ~ gradient over its square: kfac, ekfac, natural_gradient             e = 1
    adam      each entry of the step ~ 1: adam and its kin, soap, eshampoo, prodigy, signsgd,
              shampoo grafted to adam

With m_in and m_out the widths that a weight reads and writes, over the workload's base widths
(`mup`) or absolute (`absolute_mup`), a weight's step is to change by

    matrices     (m_out / m_in)^(1 - e)          adam: 1 / m_in
    embeddings   m_out^(1 - e)                   adam: 1, absolute_mup: 1 / sqrt(m_out)
    vectors      m_out^(1 - e)                   adam and shampoo (which has Adam for them): 1

and its start by 1 / sqrt(m_in) for the output matrix, 1 for all others (`mup`), or to deviations of
1 / sqrt(fan_in), 1 / fan_in for the output matrix and 1 for embeddings (`absolute_mup`).

No optimizer needs to know: it is given w in place of W = A w, with gradients A dL/dW, and one rate
for all. For a step that wants the factor r, A = r (adam, shampoo) or sqrt(r) (sgd). This is the
symmetry of abc-parametrisations, and an output multiplier is the same thing: where a model ties its
logits to the embedding, or has attention, it names the weights that carry their multipliers s
(`ParameterSpec.mup_multiplier`), and W = s A w starts s times as large. Decoupled decay is not
scaled with r: it stays eta lambda.

The step of kfac does not depend on A, and its rate never on the width, but its damping does: what
is added to the factors A and S has to follow their largest eigenvalues, m_in and 1 / m_out (with
m_out = 1 for the output). pi gamma and gamma / pi, with pi^2 the ratio of the mean eigenvalues, do
so in hidden layers only (Ishikawa and Karakida, section 4.2); multiplied by

    m_in / (m_out s) for A,   1 / s for S,   their product for the damping of the whole block

they do everywhere. Mean eigenvalues are no measure: the factors' ranks do not grow with the width.

Not every optimizer has a rule. One whose parts want different ones (swats; muon and others with
AdamW for some roles), whose step has a width's factor of its own (muon, splus, modular_norm,
spectral_descent) or no known one (psgd, ggt, lars, sophia, and the classes that search along lines)
refuses all, by `PARAMETRISATION_RULES = ()` beside its `build`, or as a class by not naming any.

Sources: Yang et al. (2022), tables 3 and 8; Ishikawa and Karakida (2024), for shampoo and kfac;
Blake et al. (2025), table 2, for the starts and rates of `absolute_mup`. That is not their u-muP,
which multiplies activations and gradients in the model so that all have unit variance; models here
have no such multipliers, so trained weights have unit scale only up to the symmetry above. Vectors
start as the workload says. Epsilon is the optimizer's and does not scale with width; Shampoo's,
which is relative to the largest eigenvalue, need not.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Hyperparameters
from workloads.parameters import ParameterSpec, Role

EXPONENTS = {"sgd": 0.0, "shampoo": 0.5, "kfac": 1.0}
RULES = ("adam", *EXPONENTS)
SCHEMES = ("mup", "absolute_mup")
NAMES = ("standard", *(f"{scheme}_{rule}" for scheme in SCHEMES for rule in RULES))
VECTORS = (Role.NORM, Role.BIAS, Role.VECTOR)


@dataclass(frozen=True)
class Scaling:
    """The factors of a parametrisation for one weight W."""

    initial: float = 1.0
    """The factor on its declared start."""
    rate: float = 1.0
    """The factor on its step."""
    multiplier: float = 1.0
    """W over what the optimizer trains, s A."""
    damping: tuple[float, float] = (1.0, 1.0)
    """The factors on what KFAC adds to A and S; their product is that on a damped curvature."""


def scalings(
    specs: Mapping[str, ParameterSpec], hyperparameters: Hyperparameters, rule: str = ""
) -> dict[str, Scaling]:
    """The scalings that a point asks for, by parameter; none for `standard`.

    Args:
        specs: of all parameters, by name.
        hyperparameters: `parametrisation`, one of `NAMES`; without it, `standard`.
        rule: one of `RULES` in place of the point's, for parameters with a method of their own.

    Raises:
        UnknownNameError: `parametrisation` is not one of `NAMES`.
    """
    name = str(hyperparameters.get("parametrisation", "standard"))
    if name not in NAMES:
        raise UnknownNameError("parametrisation", name, NAMES)
    if name == "standard":
        return {}
    scheme, _, own_rule = name.rpartition("_")
    return {key: _scaling(spec, specs, scheme, rule or own_rule) for key, spec in specs.items()}


def check_rule(hyperparameters: Hyperparameters, fitting: Collection[str]) -> None:
    """Refuse a parametrisation whose rule the submission does not support.

    Args:
        hyperparameters: a point, of which only `parametrisation` is read.
        fitting: the rules that the submission supports.

    Raises:
        HarnessError: the point's rule is none of them.
    """
    name = str(hyperparameters.get("parametrisation", "standard"))
    if name not in NAMES:
        raise UnknownNameError("parametrisation", name, NAMES)
    names = [n for n in NAMES if n == "standard" or n.rpartition("_")[2] in fitting]
    if name not in names:
        raise HarnessError(
            f"parametrisation is {name}, and its rule does not describe this submission's step",
            f"allowed here: {', '.join(names)}; a submission names the rules that fit it, as "
            "PARAMETRISATION_RULES beside build or parametrisation_rules in a class",
        )


def _scaling(
    spec: ParameterSpec, specs: Mapping[str, ParameterSpec], scheme: str, rule: str
) -> Scaling:
    reads, writes = _widths(spec, specs, scheme)
    is_absolute = scheme == "absolute_mup"
    place = spec.mup_multiplier.absolute if is_absolute else spec.mup_multiplier.relative
    rate = _rate(spec, (reads, writes), scheme, rule)
    multiplier = place * (math.sqrt(rate) if rule == "sgd" else rate)
    step = rate * {"sgd": place**2, "kfac": 1.0}.get(rule, place)
    damping = (reads / (writes * place), 1.0 / place)
    return Scaling(place * _initial(spec, scheme), step, multiplier, damping)


def _widths(
    spec: ParameterSpec, specs: Mapping[str, ParameterSpec], scheme: str
) -> tuple[float, float]:
    """m_in and m_out. Logits are not a width, and neither are an embedding's rows."""
    reads = 1.0 if spec.role in (*VECTORS, Role.EMBEDDING) else spec.width_multiplier
    to_logits = spec.role is Role.OUTPUT or (spec.role is Role.BIAS and _is_of_logits(spec, specs))
    if scheme == "absolute_mup":
        fan_out = spec.shape[1] if spec.role is Role.EMBEDDING else spec.shape[0]
        into = 1 if spec.role in (*VECTORS, Role.EMBEDDING) else spec.fan_in
        return float(into), 1.0 if to_logits else float(fan_out)
    return reads, 1.0 if to_logits else max(other.width_multiplier for other in specs.values())


def _is_of_logits(bias: ParameterSpec, specs: Mapping[str, ParameterSpec]) -> bool:
    """Whether a bias belongs to the output layer, which may be an embedding with tied weights.

    Shapes cannot tell: there may be as many gates as classes.
    """
    weight = specs.get(f"{bias.name.rpartition('.')[0]}.weight")
    return weight is None or weight.role is Role.OUTPUT


def _rate(spec: ParameterSpec, widths: tuple[float, float], scheme: str, rule: str) -> float:
    reads, writes = widths
    if spec.role in VECTORS and rule == "shampoo":
        rule = "adam"
    if rule == "adam":
        is_unit_embedding = spec.role is Role.EMBEDDING and scheme == "absolute_mup"
        return 1.0 / math.sqrt(writes) if is_unit_embedding else 1.0 / reads
    return float((writes / reads) ** (1.0 - EXPONENTS[rule]))


def _initial(spec: ParameterSpec, scheme: str) -> float:
    if spec.role in VECTORS or spec.init.kind == "constant":
        return 1.0
    if scheme == "mup":
        return 1.0 / math.sqrt(spec.width_multiplier) if spec.role is Role.OUTPUT else 1.0
    std = 1.0 if spec.role is Role.EMBEDDING else 1.0 / math.sqrt(spec.fan_in)
    if spec.role is Role.OUTPUT:
        std = 1.0 / spec.fan_in
    return std / spec.init.value
