"""KL-SOAP: Adam in the eigenbases of KL-Shampoo's factors.

    G~_t = U_L^T G_t U_R
    M~_t = beta1 M~_{t-1} + (1 - beta1) G~_t,   V_t = beta2 V_{t-1} + (1 - beta2) G~_t * G~_t
    W_{t+1} = (1 - eta lambda) W_t - eta U_L [M~_t / (sqrt(V_t) + epsilon)] U_R^T

with the bases U of `submissions.kl_shampoo`, which states their update and the source. As in the
authors' code the moments have no bias correction, and when a basis is refreshed the momentum is
rotated with it while V stays as it is.

Deviations: as in `submissions.kl_shampoo`.
"""

from __future__ import annotations

from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import TorchProblem
from submissions.kl_shampoo.optimizer import KlSoap
from submissions.soap.submission import build_relative


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """KL-SOAP on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    return build_relative(KlSoap, problem, hyperparameters, "initial_value")
