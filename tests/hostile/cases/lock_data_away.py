"""Takes the right to read its training data from everyone."""

from .honest import Honest, attempt
from .read_held_out_by_path import SEEN


class Submission(Honest):
    def act(self) -> None:
        attempt(lambda: SEEN[-1].chmod(SEEN[-1].stat().st_mode), "may change rights")
