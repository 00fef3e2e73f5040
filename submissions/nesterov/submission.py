"""Nesterov's accelerated gradient, one of the baselines used to set the targets.

    u_{t+1} = rho u_t - (g_t + lambda w_t),   w_{t+1} = w_t + eta (rho u_{t+1} - g_t - lambda w_t)

Source: Nesterov (1983), Sutskever et al. (2013). This is `submissions.sgd` with its form fixed.

Deviations: as in `submissions.sgd`, which states them.
"""

from __future__ import annotations

from submissions.sgd.submission import build

__all__ = ["build"]
