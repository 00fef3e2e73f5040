"""Calibrate targets and budgets: tuned baselines, twenty seeds, one pure rule."""
