"""Hostile submissions, one a file. Each is read by the table beside this folder."""
