"""Takes its time with each part of its last snapshot, and each time less than the patience."""

import time

from harness.messages import Snapshot, Stopped

from .honest import Honest
from .wires import send_instead

PAUSE_S, LATE = 0.3, 0.9


class Submission(Honest):
    def act(self):
        def dawdle(send, wire, message, tensors):
            if isinstance(message, (Snapshot, Stopped)) and self.problem.budget.share > LATE:
                time.sleep(PAUSE_S)
            send(message, tensors)

        send_instead(dawdle)
