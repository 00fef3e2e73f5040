"""Small corpora for tests: text, token shards and Parquet files in their true formats."""

from pathlib import Path

import numpy as np

from workloads.spec import Data

Setting = bool | int | str
WORDS = tuple(f"word{number}" for number in range(16))


def text(lines: int, seed: int = 0) -> str:
    """Lines of four to twelve words; every fifth is blank."""
    bits = np.random.default_rng(seed)
    parts = []
    for line in range(lines):
        indices = bits.integers(0, len(WORDS), size=bits.integers(4, 12))
        parts.append("" if line % 5 == 4 else " ".join(WORDS[word] for word in indices) + " .")
    return "\n".join(parts) + "\n"


def shard(file: Path, tokens: np.ndarray) -> None:
    """A shard as llm.c's `write_datafile` writes it."""
    header = np.zeros(256, dtype="<i4")
    header[:3] = 20240520, 1, len(tokens)
    file.write_bytes(header.tobytes() + tokens.astype("<u2").tobytes())


def settings(**changed: Setting) -> dict[str, Setting]:
    """Those of a small corpus."""
    defaults: dict[str, Setting] = {
        "corpus": "made",
        "train": 40,
        "validation": 10,
        "time": 8,
        "vocabulary": 300,
    }
    return defaults | changed


def of_text(**changed: Setting) -> Data:
    return Data(source="text", settings=settings(**changed))


def of_shards(**changed: Setting) -> Data:
    return Data(source="shards", settings=settings(vocabulary=50304, **changed))
