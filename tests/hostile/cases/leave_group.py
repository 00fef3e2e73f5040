"""Moves into the group of a child, so that what is sent to its own group reaches nobody."""

import os
import subprocess
import time

from harness.protocol.messages import Message, Stopped
from harness.protocol.wire import Tensors

from .honest import Honest
from .wires import Send, WorkerWire, send_instead


class Submission(Honest):
    def act(self) -> None:
        with subprocess.Popen(["sleep", "60"], process_group=0) as child:
            os.setpgid(0, child.pid)
            child.kill()
        send_instead(go_on)


def go_on(send: Send, wire: WorkerWire, message: Message, tensors: Tensors) -> None:
    send(message, tensors)
    if isinstance(message, Stopped):
        time.sleep(60.0)
