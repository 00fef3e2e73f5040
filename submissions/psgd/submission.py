"""PSGD: Kronecker factors fitted by gradient steps on a Lie group.

With `criterion = "whitening"` they whiten the momentum:

    M_t = beta M_{t-1} + (1 - beta) G_t,   M^_t bias-corrected
    P_L = Q_L^T Q_L,   P_R = Q_R^T Q_R,   X = P_L M^_t P_R
    at an update of the factors, for a matrix of r rows and c columns:
        Q_L <- Q_L - (mu / l_L) (X X^T - c I) Q_L,   Q_R <- Q_R - (mu / l_R) (X^T X - r I) Q_R
        each then rotated towards the symmetric matrix with the same Q^T Q
    W_{t+1} = (1 - eta lambda) W_t - eta clip(P_L M^_t P_R)

with l_L and l_R running bounds on the norms of X X^T + c I and X^T X + r I. This is the update
dQ = Q^(1/2) E Q^(3/2), which fits the whitening preconditioner P = E[m m^T]^(-1/2) without
triangular solves or inverses. mu falls from 1/2 as 1 / n to `preconditioner_rate`. Clipping bounds
the root mean square of a step by `step_clip`.

With `criterion = "newton"`, the thesis's, they minimise E[dg^T P dg + dw^T P^-1 dw], where dg is
the change of one batch's gradient along a random dw, so that P tends to the inverse of the absolute
Hessian; a step at which the factors are fitted takes a second pass over the batch:

    A = Q_L dG Q_R^T,   B = Q_L^-T dW Q_R^-1,   Q_L and Q_R upper triangular
    Q_L <- Q_L - mu D_L Q_L / max |D_L|,   D_L = triu(A A^T - B B^T);   Q_R from A^T A - B^T B
    W_{t+1} = (1 - eta lambda) W_t - eta clip(Q_L^T Q_L M^_t Q_R^T Q_R)

Sources: Li (2018), whose criteria 2 and 3 these are; Pooladzandi and Li (2024); the whitening form
is that of Li's code of 2025 ("Q0.5EQ1.5", whitening of the momentum).

Deviations: factors are fitted at every step for `burst` steps, then each parameter's once every
`update_every` steps, in turn (with "newton" all at once, as they share the second pass), where the
source chooses at random. M is a running mean, as in the source's code. As there, a dimension n of a
matrix with N entries has a dense factor only if n^2 <= `max_skew` N, so that with 1 only the
shorter dimension has one, and Q starts so that the first gradient has unit size (`initial_scale =
"gradient"`; "one" starts at the identity, as "newton" does); here a root mean square below
`damping` counts as `damping`, since a layer's first gradient may be zero. The source damps by
adding noise to the momentum; here the noise's expectation is added to X X^T, and "newton" is not
damped. Norms are estimated from the row of largest norm instead of random vectors, and dw is drawn
from the number of the step, so that a step depends on the state alone. The source also clips
individual entries. Products use bfloat16 where the hardware supports it, with "newton" the
parameters' precision. Kernels are flattened to (out, in * height * width). Vectors, and dimensions
longer than `max_dim`, have diagonal factors. A gradient with an entry above 4e6 is scaled down to
that, so that its powers do not overflow.

Loss at the defaults compared with `sgd` after the same number of steps: higher on `lm` (by 0.2
after 60), likely because the factors are still being fitted.
"""

from __future__ import annotations

from torch.optim import Optimizer

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import TorchProblem

from .newton import NewtonPsgd
from .optimizer import Psgd

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists: the scale of a whitened matrix already depends on its widths."""
CRITERIA: dict[str, type[Psgd | NewtonPsgd]] = {"newton": NewtonPsgd, "whitening": Psgd}
INITIAL_SCALES = ("gradient", "one")
SETTINGS = (
    "weight_decay", "momentum", "preconditioner_rate", "update_every", "burst", "max_dim",
    "max_skew",
)  # fmt: skip


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """PSGD on all parameters, with its schedule."""
    criterion, start = hyperparameters["criterion"], hyperparameters["initial_scale"]
    if criterion not in CRITERIA:
        raise UnknownNameError("criterion", criterion, CRITERIA)
    if start not in INITIAL_SCALES:
        raise UnknownNameError("initial_scale", start, INITIAL_SCALES)
    settings = {name: hyperparameters[name] for name in SETTINGS}
    if criterion == "whitening":
        settings |= {name: hyperparameters[name] for name in ("damping", "matmul_dtype")}
        settings["initial_scale"] = start
    optimizer = CRITERIA[criterion](
        problem.parameters.values(),
        lr=hyperparameters["learning_rate"],
        clip=hyperparameters["step_clip"],
        **settings,
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
