"""The benchmark's problems: one folder a workload, one TOML file a workload."""
