"""Gradients that grow by a factor of 10^8 over the budget."""
