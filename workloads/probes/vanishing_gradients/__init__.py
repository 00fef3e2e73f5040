"""Twelve tanh layers in which a signal halves from each to the next."""
