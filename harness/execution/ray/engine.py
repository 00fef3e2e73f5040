"""A connection to a Ray cluster, with calls on specific nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from harness.core.errors import HarnessError
from harness.execution.base import Resources
from harness.execution.ray.greeting import greet
from harness.execution.ray.nodes import Node, drop_thread_count, suitable
from harness.execution.ray.profile import RayProfile
from harness.execution.remote import Outcome, outcome_of

P = ParamSpec("P")
T = TypeVar("T")


class NodeLostError(Exception):
    """A node or its process was lost before it returned a result."""


class Engine:
    """The cluster of a profile, connected.

    Args:
        profile: how to reach it.

    Raises:
        HarnessError: Ray is not installed, or no cluster answers.
    """

    def __init__(self, profile: RayProfile) -> None:
        self._ray, self._profile = _import_ray(), profile
        _connect(self._ray, profile)
        self._task = self._ray.remote(max_retries=0)(_call)

    def close(self) -> None:
        """Disconnect; Ray then stops tasks that still run."""
        self._ray.shutdown()

    def nodes(self, need: Resources) -> list[Node]:
        """The nodes that can run a trial.

        Raises:
            HarnessError: there are none.
        """
        return suitable(self._ray.nodes(), need, self._profile.accelerator_type)

    def start(
        self,
        node: Node,
        resources: dict[str, float],
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Any:
        """Start a call on a node; returns a reference to its result. Ray does not retry it."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        strategy = NodeAffinitySchedulingStrategy(node.id, soft=False)
        task = self._task.options(scheduling_strategy=strategy, **resources)
        return task.remote(function, args, kwargs)

    def wait(self, references: Sequence[Any], timeout_s: float | None) -> list[Any]:
        """The references that have a result, waiting for at least one; none after the timeout."""
        ready, _ = self._ray.wait(list(references), num_returns=1, timeout=timeout_s)
        return list(ready)

    def outcome(self, reference: Any) -> Any:
        """The result of a call.

        Raises:
            NodeLostError: its node or process is gone.
            HarnessError: it raised one, or failed otherwise.
        """
        from ray.exceptions import RayError, RayTaskError

        try:
            outcome: Outcome[Any] = self._ray.get(reference)
        except RayTaskError as error:
            last = str(error).strip().splitlines()[-1]
            raise HarnessError(
                f"executor 'ray': a node failed: {last}",
                "guided-descent, and what the submission needs, must be installed on every node",
            ) from error
        except RayError as error:
            raise NodeLostError(str(error).strip().splitlines()[0]) from error
        return outcome.result()


def _call(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome[T]:
    """The body of every task."""
    drop_thread_count()
    return outcome_of(function, *args, **kwargs)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise HarnessError(
            "executor 'ray' needs the package ray, which is not installed",
            "pip install 'guided-descent[ray]'",
        ) from error
    return ray


def _connect(ray: Any, profile: RayProfile) -> None:
    try:
        greet(profile.address)
        ray.init(address=profile.address, log_to_driver=False, logging_level="error")
    except (OSError, RuntimeError, ValueError) as error:
        raise HarnessError(
            f"executor 'ray': no cluster answers at '{profile.address}': "
            f"{str(error).strip().splitlines()[0]}",
            "start one: ray start --head; the profile's 'address' is the head's, such as HOST:6379",
        ) from error
