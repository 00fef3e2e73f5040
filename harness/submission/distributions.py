"""Installed distributions: which one a module belongs to, the hash of its code, dependencies."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from importlib.metadata import packages_distributions as _packages_distributions
from pathlib import Path

from harness.core.canonical import sha256_json

REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""The name at the beginning of a requirement."""
Versions = Mapping[str, str]
"""Versions of distributions, by name."""

packages_distributions = cache(_packages_distributions)
"""Cached: it reads the metadata of every distribution, which takes a second."""


def owners_of(top: str, place: Path) -> tuple[Distribution, ...]:
    """The distributions that installed a top-level module.

    Editable installs do not count: their modules are in their author's folder and may change.

    Args:
        top: the module's name, without dots.
        place: its file or folder.
    """
    owners = (distribution(name) for name in sorted(set(packages_distributions().get(top, []))))
    return tuple(one for one in owners if _has_installed(one, place))


def _has_installed(one: Distribution, place: Path) -> bool:
    site = Path(str(one.locate_file(""))).resolve()
    return not _is_editable(one) and place.resolve().is_relative_to(site)


def _is_editable(one: Distribution) -> bool:
    try:
        origin = json.loads(one.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
    return bool(isinstance(origin, dict) and origin.get("dir_info", {}).get("editable"))


def _editable_names() -> frozenset[str]:
    """The distributions that are installed as editable."""
    return frozenset(_normal(one.metadata["Name"]) for one in distributions() if _is_editable(one))


def editable_needs(tops: Iterable[str]) -> set[str]:
    """The top-level modules of editable distributions that others depend on, by their metadata.

    Args:
        tops: top-level modules, whose distributions' dependencies are followed.
    """
    editable = _editable_names()
    if not editable:  # as a rule; the rest takes a second
        return set()
    return _tops_of(editable & versions_of(tops).keys())


def tops_of_all(tops: Iterable[str]) -> set[str]:
    """The top-level modules of the distributions of some, and of all that these need."""
    return _tops_of(versions_of(tops).keys())


def _tops_of(names: Collection[str]) -> set[str]:
    owners_of = packages_distributions()
    return {
        top for top, owners in owners_of.items() if not {*map(_normal, owners)}.isdisjoint(names)
    }


def installed_hash(owners: Iterable[Distribution], place: Path) -> str:
    """The hash of installed code: of Python files as they are, of other files as installed.

    Python files are hashed by their bytes, including those that the distribution does not list, so
    that files edited or added in place are noticed. Other files can be gigabytes of libraries; for
    them the installer's recorded hashes are used, and the size of native modules.

    Args:
        owners: its distributions.
        place: the file or folder of the module.
    """
    code = {str(file) for file in _code_in(place)}
    rest: list[tuple[str, str]] = []
    for one in owners:
        for file in one.files or ():
            where = Path(str(file.locate()))
            if ".." in file.parts or file.parts[0].endswith(".dist-info"):
                continue
            if file.suffix == ".py":
                code.add(str(where))
            elif file.suffix != ".pyc":
                rest.append((file.as_posix(), file.hash.value if file.hash else ""))
    digests = {_below(name, place): _digest_of(Path(name)) for name in sorted(code)}
    versions = {one.metadata["Name"]: one.version for one in owners}
    return sha256_json({"distributions": versions, "code": digests, "rest": sorted(rest)})


def _code_in(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    for folder, _, files in os.walk(place):
        yield from (Path(folder, name) for name in files if name.endswith((".py", ".so")))


def _below(name: str, place: Path) -> str:
    return os.path.relpath(name, place.parent)


def _digest_of(file: Path) -> str:
    try:
        status = file.stat()
    except OSError:
        return "missing"
    if file.suffix != ".py":
        return f"{status.st_size} bytes"
    return _digest(file, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@cache
def _digest(file: Path, *_: int) -> str:
    """The hash of a file, recomputed when its size or one of its times has changed."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def versions_of(tops: Iterable[str]) -> Versions:
    """The versions of the distributions of top-level modules and of installed dependencies."""
    distribution_names = packages_distributions()
    waiting = [name for top in tops for name in distribution_names.get(top, [])]
    versions: dict[str, str] = {}
    while waiting:
        name = _normal(waiting.pop())
        if name in versions:
            continue
        try:
            one = distribution(name)
        except PackageNotFoundError:
            continue
        versions[name] = one.version
        needs = (requirement for requirement in one.requires or () if "extra ==" not in requirement)
        waiting += [match[0] for need in needs if (match := REQUIREMENT.match(need))]
    return dict(sorted(versions.items()))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
