"""Experiment trackers: ended trials are sent from their records while no trial runs."""
