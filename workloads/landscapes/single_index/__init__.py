"""A single-index model with anisotropic inputs."""
