"""`harness container`: the image in which `--sandbox docker` runs workers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.say import say

app = typer.Typer(
    help="The image in which --sandbox docker runs workers.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """The image in which --sandbox docker runs workers."""


@app.command("build")
def build(
    *,
    tag: Annotated[
        str | None,
        typer.Option(
            help="The image's name.", show_default="GUIDED_DESCENT_IMAGE, or guided-descent"
        ),
    ] = None,
    cuda: Annotated[bool, typer.Option("--cuda", help="For workers on a GPU.")] = False,
    base: Annotated[
        str | None,
        typer.Option(help="The base image, preferably as NAME@sha256:DIGEST.", show_default=False),
    ] = None,
    extras: Annotated[
        str, typer.Option(help="Extras of the package, such as jax or jax-cuda.")
    ] = "",
    argument: Annotated[
        list[str] | None,
        typer.Option(
            "--build-arg",
            metavar="NAME=VALUE",
            help="Another argument of containers/Dockerfile; may be repeated.",
            show_default=False,
        ),
    ] = None,
    wheels: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="A folder of packages.", show_default=False
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(help="The engine's network while it builds.", show_default=False),
    ] = None,
) -> None:
    """Build the image from containers/Dockerfile, with the versions of constraints.txt.

    Without --cuda it holds PyTorch for CPUs. Layers are cached: a rebuild only builds what has
    changed.
    """
    from harness.sandboxes.docker.build import CPU_BASE, CUDA_BASE, ImageRequest, build_image
    from harness.sandboxes.docker.engine import image_name

    request = ImageRequest(
        tag=tag or image_name(),
        base=base or (CUDA_BASE if cuda else CPU_BASE),
        arguments=_arguments(argument or [], extras=extras, is_cpu=not cuda),
        wheels=wheels,
        network=network,
    )
    say(f"{request.tag}: {build_image(request, say)}")


def _arguments(texts: list[str], *, extras: str, is_cpu: bool) -> dict[str, str]:
    from harness.core.errors import HarnessError

    arguments = {"EXTRAS": f"[{extras}]" if extras else ""}
    if is_cpu:
        arguments["TORCH_INDEX"] = "https://download.pytorch.org/whl/cpu"
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise HarnessError(
                f"--build-arg {text} is not NAME=VALUE", "such as --build-arg PIP_FLAGS=--no-index"
            )
        arguments[name] = value
    return arguments
