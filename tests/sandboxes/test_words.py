"""What a worker says, made harmless."""

from hypothesis import given
from hypothesis import strategies as st

from harness.referee.checks import printable


def test_what_would_command_a_terminal_is_spelt_out() -> None:
    assert printable("a\x1b[2J\x07\u202e\x9b\nb é") == "a\\x1b[2J\\x07\\u202e\\x9b\nb é"


@given(st.text())
def test_nothing_else_is_left_that_cannot_be_shown(text: str) -> None:
    assert all(c.isprintable() or c == "\n" for c in printable(text))
