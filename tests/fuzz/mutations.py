"""Files that are nearly right, and how a reader is tried on them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from harness.core.errors import HarnessError

from .promptly import promptly

FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
DEEP = b'{"a":' * 5000 + b"\n"
Read = Callable[[Path], object]


def mutate(whole: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with a stretch of them replaced, doubled or left out."""
    place = st.integers(0, len(whole))
    return st.builds(
        lambda a, b, part: whole[: min(a, b)] + part + whole[max(a, b) :],
        place,
        place,
        st.binary(max_size=20)
        | st.sampled_from([b"", b"nan", b"1e999", b"[[", b"{", b"-1", b'""']),
    ) | st.builds(lambda a, b: whole[:a] + whole[b:], place, place)


def survives(read: Read, content: bytes) -> None:
    """Reading the content gives a value or a message."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        try:
            with promptly():
                read(path)
        except HarnessError as error:
            assert str(error)
