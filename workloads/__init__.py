"""The benchmark's problems: one folder with one TOML file per workload."""
