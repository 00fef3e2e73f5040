"""Torch implementation of the interface in `harness.frameworks.base`."""
