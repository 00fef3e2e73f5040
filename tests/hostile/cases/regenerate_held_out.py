"""Makes the instance anew from its seed: first the weights, then all held-out data."""

import gc

from harness.core.seeds import philox
from harness.frameworks.torch.problem import TorchProblem
from harness.protocol.messages import Hello
from harness.submission.interface import Hyperparameters
from workloads.parameters import initial_parameters

from .honest import Honest, succeed


class Submission(Honest):
    def setup(self, problem: TorchProblem, hyperparameters: Hyperparameters) -> None:
        super().setup(problem, hyperparameters)
        hello = next(found for found in gc.get_objects() if isinstance(found, Hello))
        specs = tuple(problem.specs.values())
        made = initial_parameters(specs, philox(hello.seed, "weights"))
        name = specs[0].name
        if (problem.parameters[name].detach().numpy() == made[name]).all():
            succeed("the seed is the instance's")
