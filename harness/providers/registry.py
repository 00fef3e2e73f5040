"""Workloads, suites and submissions by name: the one place where the harness looks them up."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType

from harness.core.canonical import sha256_json
from harness.core.content import sha256_content, table_text
from harness.core.errors import HarnessError, UnknownNameError
from harness.core.imports import reachable_files
from harness.core.modules import spec_of
from harness.providers.table import SUBMISSIONS, SUITES, WORKLOADS, WORKLOADS_ROOT
from workloads.band import Band, read_band
from workloads.drawing import NAME, Cost, draw
from workloads.spec import Hardware, Sizes, Suite, SuiteWorkload, WorkloadSpec
from workloads.toml import read_toml

DEFAULT_SUITE = "quick"
DECLARATIONS = frozenset(
    {"__init__.py", "band.py", "frozen.py", "losses.py", "spec.py", "targets.py", "toml.py"}
)
"""How declarations of workloads and suites are read."""


@dataclass(frozen=True)
class Workload:
    """A workload's folder: its declaration and, unless it shares another's, its modules.

    Args:
        name: of the workload.
        declared_in: the package that holds `workload.toml`.
        folder: that package's.
    """

    name: str
    declared_in: str
    folder: Path

    @cached_property
    def spec(self) -> WorkloadSpec:
        """The parsed `workload.toml`."""
        return read_toml(self.folder / "workload.toml", WorkloadSpec)

    @property
    def package(self) -> str:
        """The package of its modules."""
        return self.spec.modules or self.declared_in

    def at(self, suite: str) -> SuiteWorkload:
        """The workload at one suite's size."""
        if suite not in self.spec.suites:
            raise UnknownNameError(f"suite of workload '{self.name}'", suite, self.spec.suites)
        return self.spec.suites[suite]

    def sizes(self, suite: str, variant: str) -> Sizes:
        """The sizes of the base, of a held-out variant, of another width or of a drawn model.

        Raises:
            UnknownNameError: there is no such variant.
        """
        size = self.at(suite)
        if size.drawn is not None and NAME.fullmatch(variant):
            return draw(variant, size.sizes, size.drawn, self.cost)
        if variant not in size.named_variants:
            raise UnknownNameError("variant", variant, [*size.named_variants, "drawn"])
        return size.sizes | size.named_variants[variant]

    def cost(self, sizes: Sizes) -> Cost:
        """What a model of these sizes costs: parameters, and multiplications of a forward pass.

        Raises:
            HarnessError: there is no such model.
        """
        model = self.module("model")
        parameters = sum(spec.size for spec in model.parameters(sizes))
        return Cost(float(parameters), model.multiplications(sizes))

    def module(self, name: str) -> ModuleType:
        """One of its modules: `model`, `model_torch`, `model_jax` or `data`."""
        return importlib.import_module(f"{self.package}.{name}")

    @cache  # noqa: B019  (there are as few workloads as folders)
    def content_hash(self, suite: str) -> str:
        """The hash of all that decides what the workload is in a suite: its modules, what it
        declares for this suite, and the shared code that its modules import.

        What it declares for another suite is left out: a suite that is calibrated on one machine
        must not make what was run in another suite stale.
        """
        document = tomllib.loads((self.folder / "workload.toml").read_text())
        document["suites"] = {suite: document["suites"][suite]}
        digest_files = sha256_content(self.folder, self.folder.glob("*.py"))
        digest_own = sha256_json([digest_files, table_text(document)])
        modules = [*self.folder.glob("*.py")]
        if self.spec.modules is not None:
            folder = _folder(self.spec.modules)
            modules += folder.glob("*.py")
            digest_modules = sha256_content(folder, folder.glob("*.py"))
            digest_own = sha256_json([digest_own, digest_modules])
        return _shared_hash(modules)[:32] + digest_own[:32]


def _shared_hash(modules: Iterable[Path]) -> str:
    """The hash of what a workload's modules import from beside the workloads.

    How a declaration is read is left out: it is not what the declaration says.
    """
    own = set(modules)
    imports = reachable_files(WORKLOADS_ROOT, own) - own
    shared_files = (file for file in imports if file.name not in DECLARATIONS)
    return sha256_content(WORKLOADS_ROOT, shared_files)


def _folder(package: str) -> Path:
    """The folder of the package that a declaration names as that of its modules.

    Raises:
        HarnessError: there is no such package.
    """
    spec = spec_of(package)
    if spec is None or not spec.submodule_search_locations:
        raise HarnessError(
            f"key 'modules' is '{package}', which is no package",
            "name the package that holds model.py, or leave it out",
        )
    return Path(spec.submodule_search_locations[0])


def workload_names() -> tuple[str, ...]:
    """All known workloads."""
    return WORKLOADS.names


@cache
def workload(name: str) -> Workload:
    """The workload of a name."""
    return Workload(name, WORKLOADS.entry(name).value, WORKLOADS.folder(name))


def hardware_of(suite_name: str, workload_name: str) -> Hardware:
    """The machine that a workload's budget in a suite is meant for."""
    return workload(workload_name).at(suite_name).hardware or suite(suite_name).hardware


@cache
def band(name: str, suite: str) -> Band | None:
    """The convergence band of a workload at a suite; None where it is not calibrated."""
    return read_band(workload(name).folder, suite)


@cache
def submission_folders() -> Mapping[str, Path]:
    """The folder of every submission that ships or is installed, by name."""
    return {name: SUBMISSIONS.folder(name) for name in SUBMISSIONS.names}


_suite_files = {file.stem: file for file in (WORKLOADS_ROOT / "suites").glob("*.toml")}
"""Suites that are files, by name: those that ship, and those that the command line names."""


def suite_names() -> tuple[str, ...]:
    """All known suites."""
    return tuple(sorted({*_suite_files, *SUITES.names}))


@cache
def suite(name: str) -> Suite:
    """The suite of a name."""
    if name in _suite_files:
        return read_toml(_suite_files[name], Suite)
    if name not in SUITES.names:
        raise UnknownNameError(
            "suite", name, suite_names(), "or give the file of one: --suite FILE.toml"
        )
    return read_toml(SUITES.folder(name) / "suite.toml", Suite)


def default_suite(workloads: Collection[str]) -> str:
    """The suite of a run whose user names none: `quick`, or the only one that the workloads have.

    Raises:
        UnknownNameError: a workload is not known.
    """
    suites = {name for each in workloads for name in workload(each).spec.suites}
    return suites.pop() if len(suites) == 1 else DEFAULT_SUITE


def suite_files() -> tuple[Path, ...]:
    """The files of the suites that were made known beside those that ship."""
    return tuple(file for file in _suite_files.values() if file.parent != WORKLOADS_ROOT / "suites")


def add_suite(file: Path) -> str:
    """Make the suite of a file known to this process; returns its name.

    Raises:
        HarnessError: the file is missing or no suite, or its name is another suite's.
    """
    spec = read_toml(file, Suite)
    if spec.name in suite_names() and suite(spec.name) != spec:
        raise HarnessError(
            f"{file}: key 'name' is '{spec.name}', which another suite has",
            "give it a name of its own, under which workload.toml declares the sizes",
        )
    _suite_files[spec.name] = file
    return spec.name
