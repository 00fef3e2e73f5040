"""A submission of an outside package."""
