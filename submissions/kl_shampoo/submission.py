"""KL-Shampoo: Shampoo's factors as a covariance estimated by a Kullback-Leibler divergence.

With factors L (r, r) and R (c, c), their bases U and eigenvalues l (r) and d (c),

    M_t = beta1 M_{t-1} + (1 - beta1) G_t
    W_{t+1} = (1 - eta lambda) W_t - eta U_L [(U_L^T M_t U_R) / (sqrt(l d^T) + epsilon)] U_R^T
    L_{t+1} = beta_s L_t + (1 - beta_s) / c  G_t (U_R diag(1/d) U_R^T) G_t^T,   R alike with 1 / r
    l_{t+1} = beta_s l_t + (1 - beta_s) mean over columns of (U_L^T G_t U_R)^2 / d^T,   d alike
    every T_prec steps:  U_L <- Q of the QR decomposition of L U_L,   U_R alike

on hidden matrices and kernels, AdamW elsewhere. Each factor sees gradients whitened by the other
one, which makes L (x) R the covariance closest in divergence; l and d are updated at every step,
also between refreshes of the bases. There is no grafting. The first gradient only gives the first
bases.

Source: Lin et al. (2025), "Understanding and Improving Shampoo and SOAP via Kullback-Leibler
Minimization", and the authors' code, github.com/yorkerlin/KL-Methods, in which inverse roots are
bounded by the factor's size, between 10 and 4000.

Deviations: l and d start at the root mean square of the first gradient, so that l d^T starts at its
mean square, whatever its scale; the source's start of 0.1 (`initial_value`) is far above the
squares of most gradients, and takes some 10^2 steps of small length to fade. Decay is applied
before the step, as in AdamW. Bases are refreshed one at a time, spread over the T_prec steps.
Projections use bfloat16 where the hardware supports it, factors float32. A dimension longer than
`max_dim` keeps the identity as its basis and updates only its eigenvalues. Kernels are flattened to
(out, in * height * width), where the source squeezes them to three dimensions. A gradient with an
entry above 4e6 is scaled down to that, so that its powers do not overflow.
"""

from __future__ import annotations

from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import TorchProblem
from submissions.soap.submission import build_relative

from .optimizer import KlShampoo


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """KL-Shampoo on hidden matrices and kernels, AdamW on the rest, with their schedule."""
    return build_relative(KlShampoo, problem, hyperparameters, "initial_value")
