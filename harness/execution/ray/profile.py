"""How to reach a Ray cluster: the TOML file that `--profile` names."""

from __future__ import annotations

from workloads.spec import Count, Frozen


class RayProfile(Frozen):
    """The cluster's address, and which of its nodes run trials."""

    address: str = "auto"
    """HOST:PORT of the head node; `auto` for the cluster that this machine is a node of."""
    accelerator_type: str | None = None
    """Ray's name of a GPU type, such as H100; None for any."""
    attempts: Count = 3
    """How often a trial is run, if its nodes are lost, before it is given up."""
    copy_to: str | None = None
    """The address of a copy of the records, such as s3://BUCKET/RUNS (`copies`); None for none."""
