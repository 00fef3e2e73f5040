"""A function of parameters alone: a workload without data."""
