"""Weights that begin thirty times farther from the solution than it is from zero."""
