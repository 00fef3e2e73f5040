"""Residual convolutional network on images."""
