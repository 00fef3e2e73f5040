"""Gradients and curvature 10^-10 of the usual: below most epsilons."""
