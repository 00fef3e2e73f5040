"""What a framework must offer the benchmark, and how torch and jax offer it."""
