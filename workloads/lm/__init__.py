"""Decoder-only transformer language model."""
