"""Trials as the tasks of Slurm's job arrays."""
