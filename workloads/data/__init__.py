"""Data loaders and generators, and the cache of prepared data."""
