"""Write a new submission from a template: code, search space and test.

    NAME/submission.py, NAME/space.toml, test_NAME.py     by `build` or by a class
    NAME.py, test_NAME.py                                 by import path

The test is outside the folder, because every file inside is part of the submission.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.core.names import check_name
from harness.submission.entry import is_import_path
from harness.submission.reference import Framework
from harness.submission.resolution import file_for

TEMPLATES = files("harness.authoring.templates")
"""The folder of templates, one per framework and form: FRAMEWORK_FORM.py.txt."""
Way = Literal["build", "class", "import-path"]
WAYS: tuple[Way, ...] = ("build", "class", "import-path")
SPACE = """\
summary = "Say in one line what {name} is"
family = "momentum"
frameworks = ["{framework}"]

[default]                   # a value for every hyperparameter, searched or not
learning_rate = 0.02
{other} = {default}

[space.learning_rate]       # those that are searched
min = 2e-3
max = 0.5
scale = "log"

[space.{other}]
{bounds}
"""
MOMENTUM = {
    "other": "momentum",
    "default": "0.9",
    "bounds": 'min = 0.8\nmax = 0.99\nscale = "one_minus_log"',
}
REST_RATE = {
    "other": "rest_learning_rate",
    "default": "0.002",
    "bounds": 'min = 5e-4\nmax = 1e-2\nscale = "log"',
}
TEST = '''\
"""Whether {name} does what is asked of a submission; `harness check` says what it found."""

import subprocess
from pathlib import Path


def test_{identifier}_conforms() -> None:
    command = ["harness", "check", "{location}", "--workload", "mlp", "--framework", "{framework}"]
    subprocess.run(command, check=True, cwd=Path(__file__).parent)
'''


class NewSubmission(NamedTuple):
    """The location and files of a new submission."""

    location: str
    """The argument for `--submission`."""
    files: tuple[Path, ...]


def new_submission(
    name: str, framework: Framework, way: Way, folder: Path, *, of: str = "", flag: str = ""
) -> NewSubmission:
    """Write the first version of a submission.

    Args:
        name: the submission's name.
        framework: a framework with templates.
        way: the kind of submission: by `build`, by class, or by import path.
        folder: the folder to write to.
        of: import path of an optimizer class for matrices only: `build` gives it the hidden
            matrices, and AdamW the other parameters.
        flag: the key in that class's parameter groups that selects its update rule: for matrices,
            or for other parameters.

    Raises:
        HarnessError: the name is invalid, a file of the submission exists, or `of` or `flag` is
            invalid or does not fit the other arguments; or a file cannot be written.
    """
    check_name("submission", name)
    if of and (way != "build" or framework not in _frameworks_with("split")):
        names = " or ".join(_frameworks_with("split"))
        raise HarnessError(f"--of works only with --framework {names} and --way build")
    if of and (not is_import_path(of) or "." in of.partition(":")[2]):
        raise HarnessError(
            f"--of {of} is not the import path of a class", "for example: --of torch.optim:Muon"
        )
    if flag and not (of and flag.isidentifier()):
        raise HarnessError(
            f"--flag {flag} is not the name of a parameter group's flag, or --of is missing",
            "for example: --of pytorch_optimizer:Muon --flag use_muon",
        )
    if way == "import-path" and not name.isidentifier():
        raise HarnessError(
            f"'{name}' is not a valid Python module name",
            "use only letters, digits and '_', or --way build",
        )
    location, texts = _texts(name, framework, way, of, flag)
    paths = {folder / place: text for place, text in texts.items()}
    for path in (*paths, *([folder / name] if way != "import-path" else [])):
        if path.exists():
            raise HarnessError(f"{path} exists", "choose another name, or remove it first")
    for path, text in paths.items():
        write_whole(path, text)
    return NewSubmission(location, tuple(paths))


def _frameworks_with(form: str) -> list[str]:
    """The frameworks with a template of a form, such as `build`."""
    ending = f"_{form}.py.txt"
    names = (file.name for file in TEMPLATES.iterdir())
    return sorted(name.removesuffix(ending) for name in names if name.endswith(ending))


def _texts(
    name: str, framework: Framework, way: Way, of: str, flag: str
) -> tuple[str, Mapping[str, str]]:
    """The argument for `--submission`, and the files' texts by their relative paths."""
    form = "flagged" if flag else "split" if of else way.replace("-", "_")
    template = f"{framework}_{form}.py.txt"
    code = (TEMPLATES / template).read_text(encoding="utf-8")
    module, _, own = of.partition(":")
    kind = own or "".join(part.capitalize() for part in name.split("_"))
    words = {"NAME": name, "CLASS": kind, "MODULE": module, "FLAG": flag}
    code = re.sub("|".join(words), lambda match: words[match[0]], code)
    is_import_path = way == "import-path"
    location = f"{name}:{kind}" if is_import_path else f"./{name}"
    identifier = "".join(c if c.isalnum() else "_" for c in name)
    test = TEST.format(name=name, identifier=identifier, location=location, framework=framework)
    places = {f"test_{identifier}.py": test}
    if is_import_path:
        return location, {f"{name}.py": code, **places}
    space = SPACE.format(name=name, framework=framework, **(REST_RATE if of else MOMENTUM))
    return location, {
        f"{name}/{file_for(framework)}": code, f"{name}/space.toml": space, **places
    }  # fmt: skip
