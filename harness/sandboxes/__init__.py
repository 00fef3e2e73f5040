"""Sandboxes: they confine, freeze and kill a worker."""
