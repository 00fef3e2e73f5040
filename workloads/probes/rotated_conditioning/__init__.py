"""The same spread along directions that no single weight is aligned with: condition number 10^3."""
