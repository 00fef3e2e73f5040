"""The framework interface, and its implementations in torch and jax."""
