"""Linear representation learning with anisotropic inputs."""
