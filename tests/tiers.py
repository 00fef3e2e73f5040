"""Which cases of a test run at every commit, and which in `make test-nightly` alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pytest
from _pytest.mark import ParameterSet


def nightly_but(kept: Collection[object], cases: Iterable[object]) -> list[ParameterSet]:
    """All cases as parameters, nightly but for those that stand for them at every commit.

    Args:
        kept: the cases that run at every commit; each is one of `cases`.
        cases: single values, or tuples of the values of several arguments.
    """
    values = list(cases)
    if missing := [case for case in kept if case not in values]:
        raise ValueError(f"no such case: {missing[0]!r}")
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=() if case in kept else pytest.mark.nightly,
        )
        for case in values
    ]
