"""Knows the workload by the shapes of its parameters."""

from .honest import Honest, succeed

KNOWN = {(256, 256): "mlp"}


class Submission(Honest):
    def act(self) -> None:
        found = [KNOWN[s.shape] for s in self.problem.specs.values() if s.shape in KNOWN]
        if found:
            succeed(f"the workload is {found[0]}")
