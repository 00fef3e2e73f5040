"""Analysis of records for programs and commands: frames, scores, comparisons."""
