"""The table of everything that an outside package can add, each kind by its own entry points.

| group | its values name |
|---|---|
| `guided_descent.workloads` | a package that holds `workload.toml` |
| `guided_descent.suites` | a package that holds `suite.toml` |
| `guided_descent.submissions` | a package that holds `space.toml` |
| `guided_descent.frameworks` | a `harness.frameworks.base.Backends` |
| `guided_descent.sandboxes` | a class that is a `harness.sandboxes.base.Sandbox` |
| `guided_descent.executors` | a `harness.execution.base.ExecutorFactory` |
| `guided_descent.sinks` | a `harness.record.sinks.base.SinkFactory` |
| `guided_descent.trackers` | a `harness.record.trackers.base.Tracker` |

Listing names imports nothing, and finding a package's files does not import it: a submission is
untrusted code and is imported only in a worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import submissions
import workloads
from harness.core.errors import HarnessError, UnknownNameError
from harness.core.modules import spec_of

WORKLOADS_ROOT = Path(workloads.__file__).parent
SUBMISSIONS_ROOT = Path(submissions.__file__).parent


@dataclass(frozen=True)
class Kind:
    """One kind of provider.

    Args:
        word: the kind's name in messages.
        group: the entry-point group for outside packages.
        shipped_values: the entry-point values of this package's providers, by name.
        missing: known names that nothing provides, with the reason and what to do instead.
    """

    word: str
    group: str
    shipped_values: Mapping[str, str]
    missing: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @cached_property
    def entry_points(self) -> Mapping[str, EntryPoint]:
        """All shipped and installed entry points, by name.

        Raises:
            HarnessError: two have the same name.
        """
        entries = {name: self._shipped_entry(name) for name in self.shipped_values}
        for entry in sorted(entry_points(group=self.group)):
            if entry.name in entries:
                raise HarnessError(
                    f"entry point '{entry.name} = {entry.value}' of {self.group} has the same name "
                    f"as '{entries[entry.name].value}'",
                    "rename it in its package, or uninstall that package",
                )
            entries[entry.name] = entry
        return entries

    @property
    def names(self) -> tuple[str, ...]:
        """All names, shipped ones first."""
        return tuple(self.entry_points)

    def entry(self, name: str) -> EntryPoint:
        """The entry point of a name.

        Raises:
            UnknownNameError: there is none.
            HarnessError: there is none, and the reason is known.
        """
        if name in self.shipped_values:
            return self._shipped_entry(name)
        if name not in self.entry_points:
            if name in self.missing:
                raise HarnessError(*self.missing[name])
            raise UnknownNameError(self.word, name, self.entry_points)
        return self.entry_points[name]

    def load(self, name: str) -> Any:
        """The object of a name, imported.

        Raises:
            UnknownNameError: no provider has that name.
            HarnessError: an outside package's object cannot be imported.
        """
        entry = self.entry(name)
        try:
            return entry.load()
        except (ImportError, AttributeError) as error:
            if name in self.shipped_values:
                raise
            raise HarnessError(
                f"entry point '{name} = {entry.value}' of {self.group} cannot be loaded: {error}",
                "fix or uninstall its package",
            ) from error

    def folder(self, name: str) -> Path:
        """The folder of the package of a name, which is not imported.

        Raises:
            UnknownNameError: no provider has that name.
            HarnessError: its value names no package.
        """
        entry = self.entry(name)
        spec = spec_of(entry.value)
        if spec is None or not spec.submodule_search_locations:
            raise HarnessError(
                f"entry point '{name} = {entry.value}' of {self.group} is not a package"
            )
        return Path(spec.submodule_search_locations[0])

    def _shipped_entry(self, name: str) -> EntryPoint:
        return EntryPoint(name, self.shipped_values[name], self.group)


def _packages(root: Path, *patterns: str) -> dict[str, str]:
    """The packages below a root whose folder has a file, by the folder's name."""
    folders = [file.parent for pattern in patterns for file in sorted(root.glob(pattern))]
    return {folder.name: ".".join(folder.relative_to(root.parent).parts) for folder in folders}


WORKLOADS = Kind(
    "workload",
    "guided_descent.workloads",
    _packages(
        WORKLOADS_ROOT, "*/workload.toml", "landscapes/*/workload.toml", "probes/*/workload.toml"
    ),
)
SUITES = Kind("suite", "guided_descent.suites", {})
"""Only those of other packages; see `registry.suite` for all."""
SUBMISSIONS = Kind(
    "submission", "guided_descent.submissions", _packages(SUBMISSIONS_ROOT, "*/space.toml")
)
FRAMEWORKS = Kind(
    "framework",
    "guided_descent.frameworks",
    {
        "torch": "harness.frameworks.torch.backends:BACKENDS",
        "jax": "harness.frameworks.jax.backends:BACKENDS",
    },
)
DEFAULT_FRAMEWORK = "torch"
"""The default framework; its submissions are in `submission.py`, without a suffix."""
SANDBOXES = Kind(
    "sandbox",
    "guided_descent.sandboxes",
    {
        "plain": "harness.sandboxes.plain:PlainSandbox",
        "kernel": "harness.sandboxes.kernel.sandbox:KernelSandbox",
        "docker": "harness.sandboxes.docker.sandbox:DockerSandbox",
    },
    missing={
        "apptainer": (
            "there is no sandbox 'apptainer': how it would freeze a worker and count what it uses "
            "has not been tried on any Apptainer",
            "in an image of containers/apptainer.def the whole harness runs, its workers under "
            "--sandbox kernel or plain; see docs/ENGINES.md",
        )
    },
)
DEFAULT_SANDBOX = "plain"
"""The default sandbox: a process with resource limits only, which runs anywhere."""
STRICT_SANDBOX = "kernel"
"""The default sandbox where code is not trusted, as in an audit."""
EXECUTORS = Kind(
    "executor",
    "guided_descent.executors",
    {
        "local": "harness.execution.local:LocalExecutor",
        "pool": "harness.execution.pool:PoolExecutor",
        "slurm": "harness.execution.slurm.executor:SlurmExecutor",
        "ray": "harness.execution.ray.executor:RayExecutor",
    },
)
DEFAULT_EXECUTOR = "local"
"""The default executor: one trial at a time, so that each can be timed."""
CONCURRENT_EXECUTOR = "pool"
"""The executor that runs several trials at once on this machine, none of them timed."""
SINKS = Kind(
    "sink", "guided_descent.sinks", {"tensorboard": "harness.record.sinks.tensorboard:TensorBoard"}
)
TRACKERS = Kind(
    "tracker",
    "guided_descent.trackers",
    {
        "wandb": "harness.record.trackers.wandb:send",
        "mlflow": "harness.record.trackers.mlflow:send",
        "trackio": "harness.record.trackers.trackio:send",
    },
)
