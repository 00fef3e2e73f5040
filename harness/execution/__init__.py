"""Runs whole trials: executors, and the code of a single trial."""
