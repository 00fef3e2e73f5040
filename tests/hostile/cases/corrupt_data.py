"""Opens its training data for writing: the file is the instance's own, and other trials' too."""

from .honest import Honest, attempt
from .read_held_out_by_path import SEEN


class Submission(Honest):
    def act(self) -> None:
        attempt(lambda: SEEN[-1].open("r+b").close(), "may write to the training data")
