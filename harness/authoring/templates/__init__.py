"""Submission templates, one for each framework and kind of submission."""
