"""Carry out requests: from planning to finished records, for the command line and programs."""
