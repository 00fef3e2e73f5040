"""Token sequences of a language model, from any source: the shared body of `lm` and `rnn`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import UnknownNameError
from workloads.data.language import Language, LanguageSettings
from workloads.data.split import write_split
from workloads.sizes import checked_settings
from workloads.spec import Data

Tokens = npt.NDArray[np.uint16]

SOURCES = ("language",)


def prepare(
    workload: str, data: Data, instance_seed: str, folder: Path, data_dir: Path | None
) -> None:
    """Write an instance's splits: folder/{train,validation[,test]}/{inputs,targets}.npy.

    Both are uint16 (n, time); the targets are the inputs' next tokens. Token ids are permuted by
    the instance seed.

    Args:
        workload: its name, for errors.
        data: the source and its settings.
        instance_seed: fixes the permutation and, for `language`, the sample.
        folder: where to write; it exists.
        data_dir: where texts and shards lie; None for the default place.

    Raises:
        HarnessError: the source or a setting is not known, or the data are missing or broken.
    """
    if data.source not in SOURCES:
        raise UnknownNameError(f"data source of '{workload}'", data.source, SOURCES)
    settings = checked_settings(LanguageSettings, data.settings, workload)
    language = Language(instance_seed, settings)
    for split, count in (("train", settings.train), ("validation", settings.validation)):
        _write(folder, split, language.sample(split, count).tokens)


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """The files that `prepare` reads; an instance is made anew when one of them changes."""
    return ()


def _write(folder: Path, split: str, rows: Tokens) -> None:
    """Rows of time + 1 tokens, cut into inputs and targets."""
    write_split(folder, split, rows[:, :-1], rows[:, 1:])
