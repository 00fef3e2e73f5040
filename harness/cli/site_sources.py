"""What `harness site` is given: folders of records, bundles, boards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.site_records import read_material
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from scoring.site.material import Material


@dataclass(frozen=True)
class Found:
    """What was read, and the rules that a board has overridden."""

    material: Material
    allow: tuple[str, ...] = ()


def read_sources(sources: Sequence[Path], stack: ExitStack) -> Found:
    """Read all sources; what cannot be read is a gap, and what does not exist an error.

    Args:
        sources: folders of records, bundles, boards.
        stack: what keeps unpacked bundles until the pages are written.

    Raises:
        HarnessError: a source does not exist.
    """
    for source in sources:
        if not source.exists():
            raise HarnessError(
                f"there is no folder or bundle '{source}'",
                "make one: harness run --workload mlp --submission adamw --out OUT",
            )
    return Found(read_material([source for source in sources if source.is_dir()]))
