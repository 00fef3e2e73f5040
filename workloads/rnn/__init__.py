"""Recurrent (LSTM) language model."""
