"""Says that it has stopped, and computes on before it listens again."""

import time

from harness.protocol.messages import Message, Stopped
from harness.protocol.wire import Tensors

from .honest import Honest, succeed
from .wires import Send, WorkerWire, send_instead

LEFT_S = 0.1


class Submission(Honest):
    def act(self) -> None:
        def go_on(send: Send, wire: WorkerWire, message: Message, tensors: Tensors) -> None:
            send(message, tensors)
            if isinstance(message, Stopped):
                end_s = time.process_time() + LEFT_S
                while time.process_time() < end_s:
                    pass
                if not wire.poll():
                    succeed("computed between STOPPED and GO")

        send_instead(go_on)
