"""Token shards in llm.c's format, such as those of FineWeb-Edu.

    256 int32   20240520, 1, the number of tokens, zeros
    uint16      GPT-2 tokens, little-endian

Format: https://github.com/karpathy/llm.c, `dev/data/data_common.py`. GPT-2 has 50,257 tokens;
models usually pad the vocabulary to 50,304.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.core.errors import HarnessError

SUFFIX = ".bin"
HEADER_INTEGERS = 256
HEADER_BYTES = 4 * HEADER_INTEGERS
MAGIC = 20240520
VERSION = 1
FORMAT = f"allowed: shards of llm.c, which begin with {MAGIC}, {VERSION} and the number of tokens"


def tokens_of(file: Path) -> npt.NDArray[np.uint16]:
    """A shard's tokens, (tokens,), memory-mapped.

    Raises:
        HarnessError: the file is not such a shard, or its number of tokens contradicts its header.
    """
    try:
        with file.open("rb") as stream:
            header = np.frombuffer(stream.read(HEADER_BYTES), dtype="<i4")
    except (OSError, ValueError) as error:
        raise HarnessError(f"cannot read the shard {file}: {error}", FORMAT) from error
    if len(header) < HEADER_INTEGERS or header[0] != MAGIC or header[1] != VERSION:
        raise HarnessError(
            f"{file} is not a token shard: it begins with {header[:2].tolist()}", FORMAT
        )
    count, there = int(header[2]), (file.stat().st_size - HEADER_BYTES) / 2
    if count != there:
        raise HarnessError(
            f"{file} declares {count} tokens but has {there:g}", "copy or download it again"
        )
    return np.memmap(file, dtype="<u2", mode="r", offset=HEADER_BYTES, shape=(count,))
