"""Submissions to begin with, one for each framework and each way to write one."""
