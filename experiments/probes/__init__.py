"""Failure probes: what breaks which submission, on the workloads of the suite `probes`."""
