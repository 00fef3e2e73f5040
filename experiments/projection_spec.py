"""The declaration of a projection experiment."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workloads.spec import Count, Frozen, Positive


class ImageSet(Frozen):
    """The images that are projected."""

    source: Literal["cifar10", "images"]
    train: Annotated[int, Field(ge=2, le=40_000)]
    """The number of images for the mean and the principal components."""
    held_out: Annotated[int, Field(ge=10, le=10_000)]
    """The number of images for errors and distances."""


class ProjectionExperiment(Frozen):
    """The file of a projection experiment."""

    kind: Literal["projection"]
    title: str
    source: str
    question: str
    notes: str = ""
    dimensions: Annotated[tuple[Count, ...], Field(min_length=1)]
    shown: Count
    """The dimension at which images are drawn and the claim is tested; one of `dimensions`."""
    stated_error: Positive
    """The thesis's reconstruction error at that dimension."""
    full: ImageSet
    quick: ImageSet

    @model_validator(mode="after")
    def _shows_what_is_measured(self) -> Self:
        if self.shown not in self.dimensions:
            raise ValueError(f"shown is {self.shown}, which is not among the dimensions")
        return self

    def images(self, *, is_quick: bool) -> ImageSet:
        """The images of the full or the quick form."""
        return self.quick if is_quick else self.full
