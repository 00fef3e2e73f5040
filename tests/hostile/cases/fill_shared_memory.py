"""Takes more memory than is allowed, in a kind that a process's own limit does not count."""

import mmap

from .honest import Honest, succeed


class Submission(Honest):
    def act(self) -> None:
        self.hoard = mmap.mmap(-1, 2**31)
        for start in range(0, 2**31, 2**20):
            self.hoard[start : start + 2**20] = b"x" * 2**20
        succeed("took two GiB")
