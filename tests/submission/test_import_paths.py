"""What code an import path stands for, installed or local, and that a change of it is seen."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission import distributions
from harness.submission.files import CONTENT_LIMIT_BYTES
from harness.submission.resolution import resolve
from tests.kit import BUILD, write_submission


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that comes first."""
    distributions.packages_distributions.cache_clear()
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(site: Path, place: Path, *, is_editable: bool) -> Path:
    """A distribution `gd-case` of one package, which lies in `place`; its module."""
    info = site / "gd_case-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: gd-case\nVersion: 0.1\nRequires-Dist: numpy>=1\n")
    (info / "top_level.txt").write_text("gd_case\n")
    (info / "RECORD").write_text("gd_case/__init__.py,sha256=x,1\n" if not is_editable else "")
    (info / "direct_url.json").write_text(json.dumps({"dir_info": {"editable": is_editable}}))
    (place / "gd_case").mkdir(parents=True)
    (place / "gd_case" / "__init__.py").write_text("import torch\nx = 1\n")
    return place / "gd_case" / "__init__.py"


@pytest.mark.parametrize("file", ["__init__.py", "inner/__init__.py", "inner/more.py"])
def test_every_file_of_a_local_package_counts(site: Path, file: str) -> None:
    package = site / "local_package"
    for name in ("__init__.py", "inner/__init__.py", "inner/more.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("x = 1\n")
    before = resolve("local_package:Thing")
    (package / file).write_text("x = 1  # one\n")
    assert resolve("local_package:Thing").ref == before.ref
    assert resolve("local_package:Thing").files != before.files
    (package / file).write_text("x = 2\n")
    assert resolve("local_package:Thing").ref != before.ref


def test_the_local_modules_that_a_local_module_imports_count(site: Path) -> None:
    (site / "gd_local.py").write_text("import gd_helper\nimport numpy\n")
    (site / "gd_helper.py").write_text("x = 1\n")
    before = resolve("gd_local:Thing")
    assert set(before.contents) == {"gd_local.py", "gd_helper.py"}
    (site / "gd_helper.py").write_text("x = 2\n")
    assert resolve("gd_local:Thing").ref != before.ref


def test_a_module_in_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gd_here.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    assert set(resolve("gd_here:Thing").contents) == {"gd_here.py"}


def test_an_editable_install_is_counted_and_copied_like_a_folder(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = install(site, site / "src", is_editable=True)
    monkeypatch.syspath_prepend(site / "src")
    before = resolve("gd_case:O")
    assert set(before.contents) == {"gd_case/__init__.py"}
    module.write_text("x = 2\n")
    assert resolve("gd_case:O").ref != before.ref
    (module.parent / "weights.bin").write_bytes(bytes(CONTENT_LIMIT_BYTES))
    with pytest.raises(HarnessError, match="install it without -e"):
        resolve("gd_case:O")


@pytest.mark.parametrize("file", ["__init__.py", "added.py"])
def test_an_installed_package_that_is_edited_in_place_has_another_hash(
    site: Path, file: str
) -> None:
    module = install(site, site, is_editable=False)
    before = resolve("gd_case:O")
    assert before.contents == {}
    module.with_name(file).write_text("x = 2\n")
    assert resolve("gd_case:O").ref != before.ref


def test_versions_are_those_of_the_package_and_of_what_it_needs(site: Path) -> None:
    install(site, site, is_editable=False)
    versions = resolve("gd_case:O").versions
    assert versions["gd-case"] == "0.1"
    assert "numpy" in versions


@pytest.mark.parametrize("text", ["torch.optim:", ":Adam", "torch-optim:Adam", "a:b:c"])
def test_a_malformed_import_path_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="not an import path"):
        resolve(text)


@pytest.mark.parametrize("text", ["no_such_module.inner:Thing", "torch.no_such_module:Thing"])
def test_an_import_path_of_a_missing_module_is_refused(text: str) -> None:
    with pytest.raises(
        HarnessError, match=r"module '[a-z.]*no_such_module', which is neither installed"
    ):
        resolve(text)


def test_an_import_path_of_endless_length_is_refused() -> None:
    with pytest.raises(HarnessError, match="at most 100 are allowed"):
        resolve(f"{'a.' * 200}b:C")


def test_an_import_path_into_this_package_is_sent_to_the_name() -> None:
    with pytest.raises(HarnessError, match="give a shipped submission by its name"):
        resolve("submissions.muon.submission:Muon")


def test_an_import_path_is_resolved_without_importing_it() -> None:
    code = (
        "import sys; from harness.submission.resolution import resolve; "
        "assert resolve('torch.optim:Adagrad').space.space; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("torch.optim.AdamW", "torch.optim:AdamW"),
        ("pytest.Class", "pytest:Class"),
        ("torch.optim.adamw.AdamW", "torch.optim.adamw:AdamW"),
    ],
)
def test_a_dot_in_place_of_the_colon_is_seen(text: str, suggestion: str) -> None:
    with pytest.raises(HarnessError, match=f"did you mean '{suggestion}'"):
        resolve(text)


@pytest.mark.parametrize("text", ["no_such_module.Class", "torch.", "torch"])
def test_any_other_name_is_no_import_path(text: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown submission"):
        resolve(text)


def test_an_editable_install_with_a_finder_of_its_own_is_found(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = site / "sources"
    package.mkdir()
    (package / "__init__.py").write_text("x = 1\n")

    class Finder:
        """As setuptools writes one where a package's folder has another name."""

        @staticmethod
        def find_spec(name: str, *_: object) -> ModuleSpec | None:
            if name != "gd_mapped":
                return None
            places = [str(package)]
            return spec_from_file_location(
                name, package / "__init__.py", submodule_search_locations=places
            )

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert set(resolve("gd_mapped:Thing").contents) == {"gd_mapped/__init__.py"}


def test_a_strict_editable_install_is_read_where_its_links_lead(site: Path) -> None:
    """As setuptools makes one with `editable_mode=strict`."""
    sources, links = site / "src" / "gd_strict", site / "gd_strict"
    for folder in (sources, links):
        folder.mkdir(parents=True)
    (sources / "__init__.py").write_text("x = 1\n")
    (links / "__init__.py").symlink_to(sources / "__init__.py")
    before = resolve("gd_strict:O")
    assert set(before.contents) == {"gd_strict/__init__.py"}
    (sources / "__init__.py").write_text("x = 2\n")
    assert resolve("gd_strict:O").ref != before.ref


def test_the_editable_install_that_an_installed_package_needs_counts(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = install(site, site / "src", is_editable=True)
    monkeypatch.syspath_prepend(site / "src")
    info = site / "gd_above-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: gd-above\nVersion: 0.1\nRequires-Dist: gd-case\n")
    (info / "RECORD").write_text("gd_above.py,sha256=x,1\n")
    (site / "gd_above.py").write_text("import gd_case\n")
    before = resolve("gd_above:O")
    assert set(before.contents) == {"gd_case/__init__.py"}
    module.write_text("x = 2\n")
    assert resolve("gd_above:O").ref != before.ref


def install_bare(site: Path, name: str, files: dict[str, str]) -> None:
    """Install a package that declares no needs."""
    info = site / f"{name}-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 0.1\n")
    (info / "RECORD").write_text("".join(f"{name}/{file},sha256=x,1\n" for file in files))
    for file, text in files.items():
        (site / name / file).parent.mkdir(exist_ok=True)
        (site / name / file).write_text(text)


@pytest.mark.parametrize("statement", ["import os, gd_case", "from gd_case import x", "gd_below"])
def test_local_code_counts_that_an_installed_package_imports_without_saying_so(
    site: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    module = install(site, site / "src", is_editable=True)
    monkeypatch.syspath_prepend(site / "src")
    install_bare(site, "gd_below", {"__init__.py": "import gd_case"})
    inner = f"import {statement}" if statement == "gd_below" else f"if True:\n    {statement}"
    install_bare(site, "gd_above", {"__init__.py": "from .inner import O", "inner.py": inner})
    before = resolve("gd_above:O")
    assert set(before.contents) == {"gd_case/__init__.py"}
    module.write_text("x = 2\n")
    assert resolve("gd_above:O").ref != before.ref
    mine = write_submission(site / "mine", "from gd_above import O\n" + BUILD)
    assert "_imports/gd_case/__init__.py" in resolve(str(mine)).contents


def test_a_file_that_an_installed_package_does_not_load_brings_nothing(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, site / "src", is_editable=True)
    monkeypatch.syspath_prepend(site / "src")
    install_bare(site, "gd_above", {"__init__.py": "O = 1", "tests/test_o.py": "import gd_case"})
    assert resolve("gd_above:O").contents == {}


@pytest.mark.parametrize(
    ("place", "copies"),
    [
        ("mine", "_imports"),
        ("mine/submission.py", "_imports"),
        ("algoperf:mine", "_beside"),
    ],
)
def test_the_local_modules_that_a_folder_imports_count(
    site: Path, monkeypatch: pytest.MonkeyPatch, place: str, copies: str
) -> None:
    (site / "gd_helper.py").write_text("x = 1\n")
    write_submission(site / "mine", "import torch\nfrom gd_helper import x\n" + BUILD)
    (site / "mine" / "test_mine.py").write_text("import gd_no_part_of_it\n")
    (site / "gd_no_part_of_it.py").write_text("x = 1\n")
    monkeypatch.chdir(site)
    before = resolve(place)
    assert [name for name in before.contents if "gd" in name] == [f"{copies}/gd_helper.py"]
    (site / "gd_helper.py").write_text("x = 2\n")
    assert resolve(place).ref.content_hash != before.ref.content_hash


def test_a_local_module_goes_before_a_file_of_the_folder_that_ends_like_it(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`gd_lib.helper` is the local library's, though the folder has a helper of its own."""
    elsewhere = site / "elsewhere"
    (elsewhere / "gd_lib").mkdir(parents=True)
    for name in ("__init__", "helper"):
        (elsewhere / "gd_lib" / f"{name}.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(elsewhere)
    mine = write_submission(site / "mine", "import torch\nfrom gd_lib.helper import x\n" + BUILD)
    (mine / "helper.py").write_text("x = 2\n")
    assert "_imports/gd_lib/helper.py" in resolve(f"algoperf:{mine}").contents


def test_what_a_submission_brings_along_is_not_looked_for(site: Path) -> None:
    mine = write_submission(site / "mine", "from gd_helper import x\n" + BUILD)
    (mine / "_imports").mkdir()
    (mine / "_imports" / "gd_helper.py").write_text("x = 1\n")
    (site / "gd_helper.py").write_text("x = 2\n")
    assert resolve(str(mine)).contents["_imports/gd_helper.py"] == b"x = 1\n"
