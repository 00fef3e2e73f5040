"""Noise with thirty times the variance of the signal: only averaging finds it."""
