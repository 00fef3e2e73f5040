"""Hands over a state that executes code when a referee or its successor unpickles it."""

import base64

from harness.protocol.messages import Snapshot

from .honest import Honest
from .send_code import PAYLOAD
from .wires import send_instead

STATE = base64.b64encode(PAYLOAD).decode()


class Submission(Honest):
    def act(self):
        def hand_over(send, wire, message, tensors):
            if isinstance(message, Snapshot) and message.state is not None:
                message = message.model_copy(update={"state": STATE})
            send(message, tensors)

        send_instead(hand_over)

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass
