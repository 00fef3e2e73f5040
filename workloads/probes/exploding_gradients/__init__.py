"""Twelve linear layers in which a signal doubles from each to the next."""
