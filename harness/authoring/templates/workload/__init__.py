"""A package with a workload to begin with."""
