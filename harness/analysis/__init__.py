"""What a program, or a command, asks of records: frames, scores, comparisons."""
