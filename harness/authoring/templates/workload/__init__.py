"""Template of a package with a workload."""
