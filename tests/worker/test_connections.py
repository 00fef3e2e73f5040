"""What is noted of a submission that reaches for another machine; in a process of its own, for an
audit hook stays.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SUBMISSION = """
import contextlib, socket

def reach(address):
    with contextlib.suppress(OSError), socket.socket(family_of(address)) as connection:
        connection.settimeout(0.1)
        connection.connect(address)

def family_of(address):
    return socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
"""
CODE = """
import json, sys
from harness.worker.connections import ConnectionLog
folder, addresses = sys.argv[1], json.loads(sys.argv[2])
sys.path.insert(0, folder)
log = ConnectionLog(folder)
import submission
for address in addresses:
    submission.reach(address if isinstance(address, str) else tuple(address))
print(json.dumps(log.attempts))
"""


def attempts(folder: Path, *addresses: object) -> list[str]:
    (folder / "submission.py").write_text(SUBMISSION)
    process = subprocess.run(
        [sys.executable, "-c", CODE, str(folder), json.dumps(addresses)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines: list[str] = json.loads(process.stdout)
    return lines


def test_an_address_is_noted_once_with_the_line_even_if_nobody_answers(tmp_path: Path) -> None:
    address = ["127.0.0.1", 9]
    assert attempts(tmp_path, address, address) == ["127.0.0.1:9 (submission.py:7)"]


def test_sockets_within_the_machine_are_none_of_its_business(tmp_path: Path) -> None:
    assert attempts(tmp_path, str(tmp_path / "nothing")) == []
