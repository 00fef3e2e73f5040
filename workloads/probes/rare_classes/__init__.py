"""Sixteen classes, the rarest in 1 of 200 examples; all count the same in the held-out accuracy."""
