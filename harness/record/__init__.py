"""The record of a trial: a hash-chained event log, its summary, and TensorBoard events."""
