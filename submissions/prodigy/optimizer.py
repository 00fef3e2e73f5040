"""The optimizer behind `submission.py`, which states the update, its source and the deviations."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from submissions.common.learned_rate import Chunks, LearnedRate, Weights
from submissions.common.optimizers import Group
from submissions.common.vectors import state_copies, state_lists


class Prodigy(LearnedRate):
    """Prodigy, with one distance estimate per parameter group.

    Args:
        parameters: the parameters to optimise.
        lr: multiplier on the estimated step size (eta); 1 times the schedule.
        betas: decay rates of the first and second moments (beta1, beta2).
        eps: term added to the denominator (epsilon).
        weight_decay: decoupled weight decay coefficient (lambda).
        first_estimate: initial distance estimate (d_0).
        coefficient: scale of the estimate (c).
        bias_correction: whether eta includes Adam's bias correction.
        safeguard_warmup: whether s omits eta.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        first_estimate: float = 1e-6,
        coefficient: float = 1.0,
        bias_correction: bool = False,
        safeguard_warmup: bool = False,
    ) -> None:
        defaults: dict[str, object] = {"lr": lr, "betas": betas, "eps": eps}
        defaults |= {"weight_decay": weight_decay, "first_estimate": first_estimate}
        defaults |= {"coefficient": coefficient, "bias_correction": bias_correction}
        defaults |= {"safeguard_warmup": safeguard_warmup}
        super().__init__(parameters, first_estimate, defaults)

    def update_estimate(self, group: Group, parts: Chunks, rate: float) -> bool:
        """Update d_{t+1} from <g_t, w_0 - w_t> and ||s_{t+1}||_1."""
        (beta1, beta2), d = group["betas"], group["estimate"]
        relative = d / group["first_estimate"]
        weight = relative * (d if group["safeguard_warmup"] else rate)
        weights = Weights(d * (1 - beta1), d * d * (1 - beta2), weight)
        correlation, size = self.accumulate(parts, group, weights)
        group["numerator"] = beta2**0.5 * group["numerator"] + relative * rate * correlation
        if size == 0.0:
            return False
        group["estimate"] = max(d, group["coefficient"] * group["numerator"] / size)
        return True

    def displacement(
        self, group: Group, parameters: list[torch.Tensor], total: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """w_0 - w_t."""
        del group, total
        return list(torch._foreach_sub(state_copies(self.state, parameters, "start"), parameters))

    def move(self, group: Group, parameters: list[torch.Tensor], rate: float) -> None:
        """Apply decay, then the step m / sqrt(v)."""
        first, second = state_lists(self.state, parameters, ("first", "second"))
        denominator = torch._foreach_sqrt(second)
        torch._foreach_add_(denominator, group["estimate"] * group["eps"])
        torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
        torch._foreach_addcdiv_(parameters, first, denominator, -rate)
