"""Hands over one memory under several names, and changes it once it is handed over."""

import torch

from harness.protocol.messages import Message, Snapshot
from harness.protocol.wire import Tensors

from .facts import ELSEWHERE
from .honest import Honest
from .wires import Send, WorkerWire, send_instead


class Submission(Honest):
    def act(self) -> None:
        shared = torch.from_file(f"{ELSEWHERE}/memory", shared=True, size=2**16)

        def hand_over(send: Send, wire: WorkerWire, message: Message, tensors: Tensors) -> None:
            if not isinstance(message, Snapshot):
                send(message, tensors)
                return
            shared.zero_()
            alias = shared.numpy()
            send(message, {n: alias[: t.size].reshape(t.shape) for n, t in tensors.items()})
            shared[0].fill_(9.0)

        send_instead(hand_over)
