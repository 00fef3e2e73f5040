"""Submissions that are written for AlgoPerf, run as they are: `--submission algoperf:PATH`."""
