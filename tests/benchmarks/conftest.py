"""The made driver of the machine's tests."""

from tests.machine.conftest import driver, library

__all__ = ["driver", "library"]
