"""Loaders and generators of data, and the cache of what they prepared."""
