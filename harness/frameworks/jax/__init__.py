"""JAX behind the protocol of `harness.frameworks.base`."""
