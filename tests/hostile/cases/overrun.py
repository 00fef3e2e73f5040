"""Trains on in one long step until its time is over, and hands over what meets the target then."""

import time

from .honest import Honest

BEYOND_THE_BUDGET_S = 1.7


class Submission(Honest):
    def act(self):
        time.sleep(BEYOND_THE_BUDGET_S)
