"""What /proc says of processes that end."""

import subprocess
import sys

from harness.machine.processes import threads_of, use_of, wait_for_exits

LARGE = "import time; held = b'x' * 2**29; print(flush=True); time.sleep(99)"


def test_the_machine_is_read_when_what_was_killed_has_given_its_memory_back() -> None:
    with subprocess.Popen([sys.executable, "-c", LARGE], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        while not any(thread.is_exiting or thread.has_ended for thread in threads_of(process.pid)):
            pass
        assert wait_for_exits(timeout_s=20.0)
        assert all(thread.has_ended for thread in threads_of(process.pid))


def test_a_zombies_time_can_be_read() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        while not all(thread.has_ended for thread in threads_of(process.pid)):
            pass
        use = use_of(process.pid)
    assert use is not None and use.own_ns > 0
    assert use_of(process.pid) is None
