"""Looks for the workload's name among the modules of its process."""

import sys

from .honest import Honest, succeed


class Submission(Honest):
    def act(self) -> None:
        if "workloads.mlp.model" in sys.modules:
            succeed("the workload is mlp")
