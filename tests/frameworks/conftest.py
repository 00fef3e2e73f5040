import pytest

from tests.frameworks.kit import Kit


@pytest.fixture(params=["torch", "jax"])
def kit(request: pytest.FixtureRequest) -> Kit:
    return Kit(request.param)


@pytest.fixture
def torch_kit() -> Kit:
    return Kit("torch")


@pytest.fixture
def jax_kit() -> Kit:
    return Kit("jax")
