"""Workloads, suites and submissions by name: the one place where the harness looks them up.

Outside packages add theirs through the entry-point groups `guided_descent.workloads` and
`guided_descent.submissions`; each entry point names a package that holds `workload.toml` or
`submission.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import submissions
import workloads
from harness.core.content import sha256_content
from harness.core.errors import HarnessError, UnknownNameError
from workloads.spec import Suite, SuiteWorkload, WorkloadSpec, read_toml

WORKLOADS = Path(workloads.__file__).parent
SUBMISSIONS = Path(submissions.__file__).parent


@dataclass(frozen=True)
class Workload:
    """A workload's folder: its declaration, its model files, its data file."""

    name: str
    package: str
    folder: Path

    @cached_property
    def spec(self) -> WorkloadSpec:
        """The parsed `workload.toml`."""
        return read_toml(self.folder / "workload.toml", WorkloadSpec)

    def at(self, suite: str) -> SuiteWorkload:
        """The workload at one suite's size."""
        if suite not in self.spec.suites:
            raise UnknownNameError(f"suite of workload '{self.name}'", suite, self.spec.suites)
        return self.spec.suites[suite]

    def module(self, name: str) -> ModuleType:
        """One of its modules: `model`, `model_torch`, `model_jax` or `data`."""
        return importlib.import_module(f"{self.package}.{name}")

    @cached_property
    def content_hash(self) -> str:
        """The hash of all that decides what the workload is: its folder and the shared code."""
        declarations = {"__init__.py", "spec.py"}  # how a file is read, not what it says
        modules = [file for file in WORKLOADS.glob("*.py") if file.name not in declarations]
        shared = [*(WORKLOADS / "data").glob("*.py"), *modules]
        own = [self.folder / "workload.toml", *self.folder.glob("*.py")]
        digest_own = sha256_content(self.folder, own)
        return sha256_content(WORKLOADS, shared)[:32] + digest_own[:32]


def _folders(root: Path, marker: str, group: str) -> Mapping[str, tuple[str, Path]]:
    found = {
        file.parent.name: (f"{root.name}.{file.parent.name}", file.parent)
        for file in root.glob(f"*/{marker}")
    }
    for entry in entry_points(group=group):
        spec = find_spec(entry.value)
        if spec is None or not spec.submodule_search_locations:
            raise HarnessError(f"entry point '{entry.name}' of {group} names no package")
        found[entry.name] = (entry.value, Path(spec.submodule_search_locations[0]))
    return found


@cache
def workload_names() -> tuple[str, ...]:
    """All known workloads."""
    return tuple(sorted(_folders(WORKLOADS, "workload.toml", "guided_descent.workloads")))


@cache
def workload(name: str) -> Workload:
    """The workload of a name."""
    known = _folders(WORKLOADS, "workload.toml", "guided_descent.workloads")
    if name not in known:
        raise UnknownNameError("workload", name, known)
    package, folder = known[name]
    return Workload(name, package, folder)


@cache
def submission_folders() -> Mapping[str, Path]:
    """The folder of every submission that ships or is installed, by name."""
    known = _folders(SUBMISSIONS, "space.toml", "guided_descent.submissions")
    return {name: folder for name, (_, folder) in sorted(known.items())}


@cache
def suite_names() -> tuple[str, ...]:
    """All known suites."""
    return tuple(sorted(file.stem for file in (WORKLOADS / "suites").glob("*.toml")))


@cache
def suite(name: str) -> Suite:
    """The suite of a name."""
    if name not in suite_names():
        raise UnknownNameError("suite", name, suite_names())
    return read_toml(WORKLOADS / "suites" / f"{name}.toml", Suite)
