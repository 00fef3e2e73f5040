"""Both recipes of an image take what an installation needs, and name the same bases."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from harness.cli.machine import run_options
from harness.core.errors import HarnessError
from harness.sandboxes.docker.build import CONTEXT, CPU_BASE, CUDA_BASE, RECIPE

ROOT = Path(__file__).parents[2]
DEFINITION = ROOT / "containers" / "apptainer.def"
OF_INSTALLATION = {name for name in CONTEXT if name != RECIPE}


def sections(text: str) -> dict[str, str]:
    """The sections of a definition file by name."""
    parts = re.split(r"^%(\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_images_context_has_every_package_of_the_wheel() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        built = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(built["packages"]) <= OF_INSTALLATION


def test_the_dockerfile_copies_its_context() -> None:
    lines = (ROOT / RECIPE).read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]}
    assert copied >= OF_INSTALLATION


@pytest.mark.parametrize("base", [CPU_BASE, CUDA_BASE])
def test_the_bases_are_pinned_and_the_dockerfile_names_them(base: str) -> None:
    assert re.fullmatch(r"[\w./]+:[\w.-]+@sha256:[0-9a-f]{64}", base)
    assert re.search(rf"BASE={re.escape(base)}$", (ROOT / RECIPE).read_text(), flags=re.MULTILINE)


def without_tag(base: str) -> str:
    """A pinned image as Apptainer reads it, which takes a tag or a digest, not both."""
    return re.sub(":[^:@]*@", "@", base)


def test_the_definition_copies_the_same_files_on_the_same_bases() -> None:
    text = DEFINITION.read_text()
    result = sections(text)
    files = dict(line.split() for line in result["files"].splitlines() if line.strip())
    assert files == {name: f"/src/{name}" for name in OF_INSTALLATION}
    arguments = dict(line.strip().split("=", 1) for line in result["arguments"].split())
    assert arguments["BASE"] == without_tag(CPU_BASE)
    assert f"BASE={without_tag(CUDA_BASE)}" in text
    assert set(re.findall(r"{{ (\w+) }}", text)) == set(arguments)


@pytest.mark.parametrize("recipe", [ROOT / RECIPE, DEFINITION], ids=lambda path: path.name)
def test_an_image_for_a_gpu_has_what_compiles_kernels(recipe: Path) -> None:
    (installs,) = re.findall(r"\*cuda\*\)(.*?)esac", recipe.read_text(), flags=re.DOTALL)
    assert {"gcc", "libc6-dev", "python3-dev"} <= set(installs.split())


def test_a_sandbox_that_was_never_tried_is_refused_with_what_there_is_instead() -> None:
    with pytest.raises(HarnessError, match="there is no sandbox 'apptainer'") as error:
        run_options("apptainer", None, None, 2)
    assert "containers/apptainer.def" in error.value.hint
    with pytest.raises(HarnessError, match="unknown sandbox 'aptainer'"):
        run_options("aptainer", None, None, 2)
