"""Failure probes: small problems, each with one thing wrong.

Each folder holds the declaration of one probe, a workload of the suite `probes`: what its data do,
what its model is, and the target. All of them share the modules here: chains of linear layers
(`model.py`) on data drawn from a teacher (`data.py`, `disturbances.py`).
"""
