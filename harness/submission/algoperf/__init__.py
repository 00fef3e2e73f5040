"""Submissions that are written for AlgoPerf, run unchanged: `--submission algoperf:PATH`."""
