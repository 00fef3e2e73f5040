"""Moves into the group of a child, so that what is sent to its own group reaches nobody."""

import os
import subprocess
import time

from harness.protocol.messages import Stopped

from .honest import Honest
from .wires import send_instead


class Submission(Honest):
    def act(self):
        with subprocess.Popen(["sleep", "60"], process_group=0) as child:
            os.setpgid(0, child.pid)
            child.kill()
        send_instead(go_on)


def go_on(send, wire, message, tensors):
    send(message, tensors)
    if isinstance(message, Stopped):
        time.sleep(60.0)
