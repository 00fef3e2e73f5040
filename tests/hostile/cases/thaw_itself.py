"""Has a timer wake the whole process while it is frozen, and computes on in a thread."""

import ctypes
import signal
import threading
import time
from collections.abc import Callable

from torch import Tensor

from harness.sandboxes import libc
from harness.submission.interface import Stream

from .honest import Honest, succeed

CREATE, SET = {"x86_64": (222, 223), "aarch64": (107, 110)}[libc.MACHINE]
MONOTONIC, DELAY_NS, ENOUGH_S = 1, 150_000_000, 0.25


def timer_of(number: int) -> Callable[[], object]:
    """A timer that sends a signal to this process; returns what arms it once."""
    event = (ctypes.c_int * 16)(0, 0, number, 0)  # value (8 bytes), signal, SIGEV_SIGNAL
    timer = ctypes.c_int()
    libc.syscall("timer_create", CREATE, MONOTONIC, ctypes.byref(event), ctypes.byref(timer))
    once = (ctypes.c_long * 4)(0, 0, 0, DELAY_NS)
    return lambda: libc.syscall("timer_settime", SET, timer, 0, ctypes.byref(once), None)


class Submission(Honest):
    is_stopped, stolen_s = False, 0.0
    arm: Callable[[], object] = staticmethod(lambda: None)

    def act(self) -> None:
        signal.signal(signal.SIGCONT, lambda *_: None)
        threading.Thread(target=self.go_on, daemon=True).start()
        try:
            self.arm = timer_of(signal.SIGCONT)
        except OSError as error:
            print(f"refused: {error}", flush=True)

    def go_on(self) -> None:
        last_s = time.monotonic()
        while True:
            time.sleep(0.001)
            now_s = time.monotonic()
            if self.is_stopped and now_s - last_s < 0.1:
                self.stolen_s += now_s - last_s
            last_s = now_s

    def step(self, stream: Stream[Tensor]) -> Tensor:
        self.is_stopped = False
        return super().step(stream)

    def eval_parameters(self) -> dict[str, Tensor]:
        if self.stolen_s > ENOUGH_S:
            succeed("computed while frozen")
        self.is_stopped = True
        self.arm()
        return super().eval_parameters()
