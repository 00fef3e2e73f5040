"""Whether what a workload's data are made from is here."""

from __future__ import annotations

from pathlib import Path

from harness.providers.registry import workload


def check_sources(name: str, suite: str, data_dir: Path | None) -> None:
    """Check that the files exist that a workload's data are made from, without reading them.

    Args:
        name: the workload.
        suite: the suite, which may take generated data where another takes a data set.
        data_dir: the folder of downloaded data; None for the default location.

    Raises:
        HarnessError: files are missing; the message says how to get them.
    """
    spec = workload(name)
    data = spec.at(suite).data
    if data is not None:
        spec.module("data").source_files(data, data_dir)
