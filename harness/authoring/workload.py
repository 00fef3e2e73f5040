"""Write a new workload: an installable package with data, model and its own suite.

NAME/pyproject.toml       its entry points, by which `harness` finds it
NAME/test_NAME.py
NAME/NAME/                workload.toml, suite.toml, data.py, model.py, model_torch.py, model_jax.py
"""

from __future__ import annotations

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.core.names import check_name
from harness.providers import registry

PACKAGE = {
    "__init__.py": "package.py",
    **{
        name: name
        for name in (
            "workload.toml", "suite.toml", "data.py", "model.py", "model_torch.py", "model_jax.py",
        )
    },
}  # fmt: skip
"""The templates of the package's files, by file name."""


def new_workload(name: str, folder: Path) -> tuple[Path, ...]:
    """Write the first version of a workload; returns its files.

    Args:
        name: the name of the workload, its package and its suite.
        folder: the parent of the package's folder.

    Raises:
        HarnessError: the name is not valid for a workload or a Python module, or is taken; or a
            file cannot be written.
    """
    check_name("workload", name)
    if not name.isidentifier():
        raise HarnessError(
            f"'{name}' is not a valid Python module name", "use only letters, digits and '_'"
        )
    root = folder / name
    if root.exists():
        raise HarnessError(f"{root} exists", "choose another name, or remove it first")
    if name in (*registry.workload_names(), *registry.suite_names()) or find_spec(name) is not None:
        raise HarnessError(
            f"a workload, suite or module '{name}' already exists", "choose another name"
        )
    templates = files("harness.authoring.templates.workload")
    places = {root / "pyproject.toml": "pyproject.toml", root / f"test_{name}.py": "test.py"}
    places |= {root / name / file: template for file, template in PACKAGE.items()}
    for path, template in places.items():
        text = (templates / f"{template}.txt").read_text(encoding="utf-8")
        write_whole(path, text.replace("NAME", name))
    return tuple(places)
