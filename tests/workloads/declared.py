"""What workloads declare, for tests of those that have data."""

from __future__ import annotations

from workloads.spec import Data, SuiteWorkload


def data_of(size: SuiteWorkload) -> Data:
    """The data of a workload that has some."""
    assert size.data is not None
    return size.data
