"""Changes what its model holds as fixed: what it computes from its parameters."""

from torch import nn

from workloads.mlp.model_torch import Mlp

from .honest import Honest


def attack():
    Mlp.forward = lambda self, inputs: 0.0 * nn.Sequential.forward(self, inputs)


class Submission(Honest):
    def act(self):
        attack()
