"""Hands over a state that executes code when a referee or its successor unpickles it."""

import base64

from torch import Tensor

from harness.protocol.messages import Message, Snapshot
from harness.protocol.wire import Tensors

from .honest import Honest
from .send_code import PAYLOAD
from .wires import Send, WorkerWire, send_instead

STATE = base64.b64encode(PAYLOAD).decode()


class Submission(Honest):
    def act(self) -> None:
        def hand_over(send: Send, wire: WorkerWire, message: Message, tensors: Tensors) -> None:
            if isinstance(message, Snapshot) and message.state is not None:
                message = message.model_copy(update={"state": STATE})
            send(message, tensors)

        send_instead(hand_over)

    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        pass
