"""Noise without a variance (Student's t, 1.1 degrees of freedom): single gradients dwarf all others."""
