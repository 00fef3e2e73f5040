"""Makes every value meet every target in its process."""

from workloads.spec import Target

from .honest import Honest


def attack():
    Target.is_met_by = lambda self, value: True


class Submission(Honest):
    def act(self):
        attack()
