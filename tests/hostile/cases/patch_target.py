"""Makes every value meet every target in its process."""

from workloads.spec import Target

from .honest import Honest


def attack() -> None:
    Target.is_met_by = lambda self, value: True  # type: ignore[method-assign]


class Submission(Honest):
    def act(self) -> None:
        attack()
