"""Makes every loss zero in its process."""

from harness.frameworks.torch.loss import CrossEntropy

from .honest import Honest


def attack():
    CrossEntropy.per_target = lambda self, logits, targets: 0.0 * logits[..., 0].reshape(-1)


class Submission(Honest):
    def act(self):
        attack()
