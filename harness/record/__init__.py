"""What a trial leaves behind: a hash-chained event log, its summary, TensorBoard events."""
