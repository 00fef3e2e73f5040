"""Write new submissions and workloads from templates."""
