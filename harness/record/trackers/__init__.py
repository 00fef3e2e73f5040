"""Experiment trackers: ended trials are sent to them from their records, while no trial runs."""
