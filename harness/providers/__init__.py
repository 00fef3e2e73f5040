"""Where workloads, suites and submissions come from, this package's and others'."""
