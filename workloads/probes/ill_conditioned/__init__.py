"""Inputs on axes of very different scale: condition number 10^4, aligned with the weights."""
