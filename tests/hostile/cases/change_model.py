"""Changes what its model holds as fixed: what it computes from its parameters."""

from torch import nn

from workloads.mlp.model_torch import Mlp

from .honest import Honest


def attack() -> None:
    Mlp.forward = (  # type: ignore[method-assign]
        lambda self, inputs: 0.0 * nn.Sequential.forward(self, inputs)  # type: ignore[no-untyped-call]
    )


class Submission(Honest):
    def act(self) -> None:
        attack()
