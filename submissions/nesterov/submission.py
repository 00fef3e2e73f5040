"""Nesterov's accelerated gradient, one of the baselines that targets are set with.

    u_{t+1} = rho u_t - (g_t + lambda w_t),   w_{t+1} = w_t + eta (rho u_{t+1} - g_t - lambda w_t)

Source: Nesterov (1983), Sutskever et al. (2013). It is `submissions.sgd` with its form
fixed; the deviations are stated there.
"""

from __future__ import annotations

from submissions.sgd.submission import build

__all__ = ["build"]
