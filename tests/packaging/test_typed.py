"""Each package says that it is typed (PEP 561)."""

from importlib import resources

import pytest


@pytest.mark.parametrize("package", ["harness", "workloads", "submissions", "scoring"])
def test_a_package_is_marked_as_typed(package: str) -> None:
    assert resources.files(package).joinpath("py.typed").is_file()
