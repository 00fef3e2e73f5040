"""Other forms in which a trial's events are written."""
