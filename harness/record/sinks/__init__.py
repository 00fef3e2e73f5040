"""Sinks: other formats in which a trial's events are written."""
