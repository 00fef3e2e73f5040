"""Gradients and curvature 10^6 times the usual."""
