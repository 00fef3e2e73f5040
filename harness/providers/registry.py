"""Looks up workloads, suites and submissions by name."""

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
from harness.core.errors import HarnessError, UnknownNameError, nearest
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
"""The modules that read the declarations of workloads and suites."""


@dataclass(frozen=True)
class Workload:
    """A workload: its declaration and its modules, which may be another workload's.

    Args:
        name: the workload's name.
        declared_in: the package with `workload.toml`.
        folder: that package's folder.
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
            raise HarnessError(
                f"workload '{self.name}' is not in suite '{suite}'",
                f"its suites: {', '.join(self.spec.suites)}",
            )
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
        """The cost of a model of these sizes: its parameters, and multiplications of a forward
        pass.

        Raises:
            HarnessError: no model has these sizes.
        """
        model = self.module("model")
        parameters = sum(spec.size for spec in model.parameters(sizes))
        return Cost(float(parameters), model.multiplications(sizes))

    def module(self, name: str) -> ModuleType:
        """One of its modules: `model`, `model_torch`, `model_jax` or `data`."""
        return importlib.import_module(f"{self.package}.{name}")

    @cache  # noqa: B019  (there are as few workloads as folders)
    def content_hash(self, suite: str) -> str:
        """The hash of everything that defines the workload in a suite: its modules, its declaration
        for this suite, and the shared code that its modules import.

        Declarations for other suites are excluded, so that calibrating one suite does not
        invalidate records of another.
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
    """The hash of the shared code that a workload's modules import.

    The code that reads declarations is excluded, as the declarations are hashed by their values.
    """
    own = set(modules)
    imports = reachable_files(WORKLOADS_ROOT, own) - own
    shared_files = (file for file in imports if file.name not in DECLARATIONS)
    return sha256_content(WORKLOADS_ROOT, shared_files)


def _folder(package: str) -> Path:
    """The folder of the package that a declaration names in `modules`.

    Raises:
        HarnessError: there is no such package.
    """
    spec = spec_of(package)
    if spec is None or not spec.submodule_search_locations:
        raise HarnessError(
            f"key 'modules' is '{package}', which is not a package",
            "name the package that holds model.py, or leave it out",
        )
    return Path(spec.submodule_search_locations[0])


def workload_names() -> tuple[str, ...]:
    """All known workloads."""
    return WORKLOADS.names


@cache
def workload(name: str) -> Workload:
    """The workload of a name.

    Raises:
        UnknownNameError: there is none.
    """
    require_workloads([name], DEFAULT_SUITE)
    return Workload(name, WORKLOADS.entry(name).value, WORKLOADS.folder(name))


def require_workloads(names: Iterable[str], suite_name: str) -> None:
    """Check that workloads are known, in this suite or another.

    Raises:
        UnknownNameError: one is not; the message lists those of the suite.
    """
    for name in names:
        if name not in WORKLOADS.shipped_values and name not in workload_names():
            own = suite(suite_name).workloads
            hint = f"these are suite {suite_name}'s; `harness list workloads` shows all"
            guess = nearest(name, own) or nearest(name, workload_names())
            raise UnknownNameError("workload", name, own, hint, guess=guess)


def hardware_of(suite_name: str, workload_name: str) -> Hardware:
    """The machine that a workload's budget in a suite is declared for."""
    return workload(workload_name).at(suite_name).hardware or suite(suite_name).hardware


@cache
def band(name: str, suite: str) -> Band | None:
    """The convergence band of a workload at a suite; None where it is not calibrated."""
    return read_band(workload(name).folder, suite)


@cache
def submission_folders() -> Mapping[str, Path]:
    """The folders of all shipped and installed submissions, by name."""
    return {name: SUBMISSIONS.folder(name) for name in SUBMISSIONS.names}


_suite_files = {file.stem: file for file in (WORKLOADS_ROOT / "suites").glob("*.toml")}
"""The files of suites by name: the shipped ones, and those given on the command line."""
_sent_suites: dict[str, Suite] = {}
"""Suites whose files another machine has, by name."""


def suite_names() -> tuple[str, ...]:
    """All known suites."""
    return tuple(sorted({*_suite_files, *_sent_suites, *SUITES.names}))


@cache
def suite(name: str) -> Suite:
    """The suite of a name."""
    if name in _sent_suites:
        return _sent_suites[name]
    if name in _suite_files:
        return read_toml(_suite_files[name], Suite)
    if name not in SUITES.names:
        raise UnknownNameError(
            "suite", name, suite_names(), "or give the file of one: --suite FILE.toml"
        )
    return read_toml(SUITES.folder(name) / "suite.toml", Suite)


def default_suite(workloads: Collection[str]) -> str:
    """The default suite of a run: `quick`, or the only suite that has all of the workloads.

    Raises:
        UnknownNameError: a workload is not known.
    """
    suites = {name for each in workloads for name in workload(each).spec.suites}
    return suites.pop() if len(suites) == 1 else DEFAULT_SUITE


def suite_files() -> tuple[Path, ...]:
    """The files of suites that were added to the shipped ones."""
    return tuple(file for file in _suite_files.values() if file.parent != WORKLOADS_ROOT / "suites")


def add_suite(file: Path) -> str:
    """Add the suite of a file for this process; returns its name.

    Raises:
        HarnessError: the file is missing or not a suite, or its name is taken by another suite.
    """
    spec = read_toml(file, Suite)
    if spec.name in suite_names() and suite(spec.name) != spec:
        raise HarnessError(
            f"{file}: key 'name' is '{spec.name}', which another suite already uses",
            "give it a name of its own, under which workload.toml declares the sizes",
        )
    _suite_files[spec.name] = file
    return spec.name


def added_suites() -> tuple[Suite, ...]:
    """The suites of these files, as another machine needs them that does not have the files."""
    return tuple(read_toml(file, Suite) for file in suite_files())


def receive_suites(suites: Iterable[Suite]) -> None:
    """Add the suites that another machine has added from files."""
    _sent_suites.update({spec.name: spec for spec in suites})
