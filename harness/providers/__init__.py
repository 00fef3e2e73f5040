"""Finds workloads, suites, submissions and other providers, of this package and of others."""
