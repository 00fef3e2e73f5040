"""Inputs with a mean of 5 and a variance of 1: one direction dwarfs all others."""
