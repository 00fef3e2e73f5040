"""Errors, hashes, files, locks, seeds: all other rooms may import these, and they import none."""
