"""Failure probes: small problems, each with one thing wrong.

Each folder holds the declaration of one probe, a workload of the suite `probes`: its data, model
and target. All probes share the modules here: chains of linear layers
(`model.py`) on data drawn from a teacher (`data.py`, `disturbances.py`).
"""
