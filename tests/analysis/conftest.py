"""Records as they are made for the tests of `record`."""

from tests.record.conftest import sample, shared_sample

__all__ = ["sample", "shared_sample"]
