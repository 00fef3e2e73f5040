"""Hands over one memory under several names, and changes it once it is handed over."""

import torch

from harness.protocol.messages import Snapshot

from .facts import ELSEWHERE
from .honest import Honest
from .wires import send_instead


class Submission(Honest):
    def act(self):
        shared = torch.from_file(f"{ELSEWHERE}/memory", shared=True, size=2**16)

        def hand_over(send, wire, message, tensors):
            if not isinstance(message, Snapshot):
                return send(message, tensors)
            shared.zero_()
            alias = shared.numpy()
            send(message, {n: alias[: t.size].reshape(t.shape) for n, t in tensors.items()})
            return shared[0].fill_(9.0)

        send_instead(hand_over)
