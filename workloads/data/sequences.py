"""Token sequences of the language models `lm` and `rnn`, from any source.

    language   generated; every sequence is a separate document
    text       a corpus of text files, tokenised; sequences are contiguous
    shards     token shards in llm.c's format, or Parquet files, such as FineWeb-Edu's

Token ids are permuted by the instance seed, for real text as well.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from harness.core.errors import HarnessError, UnknownNameError
from harness.core.seeds import philox
from workloads.data import corpus, shards, strata
from workloads.data.ids import permute_ids
from workloads.data.language import Language, LanguageSettings
from workloads.data.split import write_split
from workloads.data.stream import Stream, write_rows
from workloads.data.token_files import tokenise
from workloads.data.tokenizer import Kind
from workloads.sizes import validate_settings
from workloads.spec import Count, Data, Frozen

SOURCES = ("language", "shards", "text")


class CorpusSettings(Frozen):
    """The settings of `text` and `shards` in `workload.toml`; split sizes are in sequences.

    A corpus with fewer sequences is used completely.
    """

    corpus: str
    """A folder in the data folder; if there is none of that name, the data folder itself."""
    train: Count
    validation: Count
    test: Annotated[int, Field(ge=0)] = 0
    """0 if the corpus has no test files."""
    least: Count = 64
    """Minimum number of training sequences; at least the batch size."""
    time: Count
    """Tokens per sequence; the targets are the next tokens."""
    vocabulary: Annotated[int, Field(ge=300, le=2**18)]
    """Upper bound of the ids (exclusive); a tokenizer is trained to at most this size."""
    tokenizer: Kind = "bpe"

    @property
    def counts(self) -> dict[str, int]:
        """The number of sequences of each split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def prepare(
    workload: str, data: Data, instance_seed: str, folder: Path, data_dir: Path | None
) -> None:
    """Write an instance's splits: folder/{train,validation[,test]}/{inputs,targets}.npy.

    Both are (n, time), uint16, or uint32 if the vocabulary exceeds 65,536; the targets are the
    inputs' next tokens.

    Args:
        workload: the workload's name, for error messages.
        data: the source and its settings.
        instance_seed: fixes the permutation of ids and, for `language`, the sample.
        folder: an existing folder to write to.
        data_dir: folder of texts and shards; None for the default location.

    Raises:
        HarnessError: the source or a setting is unknown, or the data are missing, broken or too
            few.
    """
    if data.source not in SOURCES:
        raise UnknownNameError(f"data source of '{workload}'", data.source, SOURCES)
    if data.source == "language":
        _language(
            validate_settings(LanguageSettings, data.settings, workload), instance_seed, folder
        )
        return
    settings = validate_settings(CorpusSettings, data.settings, workload)
    ids = permute_ids(instance_seed, settings.vocabulary)
    texts = _find(data.source, settings, data_dir)
    for split, stream in _streams(texts, settings).items():
        count = _sequences(split, stream, settings, texts)
        write_rows(folder / split, stream, count, settings.time, ids)


def source_files(workload: str, data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """The files that `prepare` reads; an instance is rebuilt when one of them changes.

    Raises:
        HarnessError: there are none, or the settings name no corpus.
    """
    if data.source not in ("shards", "text"):
        return ()
    settings = validate_settings(CorpusSettings, data.settings, workload)
    return _find(data.source, settings, data_dir).files


def _language(settings: LanguageSettings, seed: str, folder: Path) -> None:
    """Write a generated language's documents, those of the validation split from strata."""
    language = Language(seed, settings)
    train = language.sample("train", settings.train).tokens
    candidates = language.sample("validation", strata.SIZE * settings.validation).tokens
    scores = strata.rarity(candidates[:, 1:], train)
    places = strata.one_of_each(scores, philox(seed, "language-strata"))
    for split, rows in (("train", train), ("validation", candidates[places])):
        write_split(folder, split, rows[:, :-1], rows[:, 1:])


def _sequences(split: str, stream: Stream, settings: CorpusSettings, texts: corpus.Corpus) -> int:
    count = min(settings.counts[split], stream.sequences(settings.time))
    least = min(settings.least, settings.train) if split == "train" else 1
    if count < least:
        # The stream's files may be cached tokens, so name the corpus files.
        names = ", ".join(map(str, texts.by_split.get(split, texts.train)))
        raise HarnessError(
            f"{split}: {len(stream)} tokens make {count} sequences of {settings.time}; at least "
            f"{least} are needed",
            f"add text next to {names}, or use a larger corpus",
        )
    return count


def _find(source: str, settings: CorpusSettings, data_dir: Path | None) -> corpus.Corpus:
    text = (*corpus.TEXT, corpus.PARQUET)
    texts = corpus.find(
        settings.corpus, data_dir, (shards.SUFFIX, corpus.PARQUET) if source == "shards" else text
    )
    kinds = {file.suffix == shards.SUFFIX for file in texts.files}
    if len(kinds) > 1:
        raise HarnessError(
            f"{texts.place} has both token shards (.bin) and Parquet files",
            "keep one kind: they are tokenised differently",
        )
    return texts


def _streams(texts: corpus.Corpus, settings: CorpusSettings) -> dict[str, Stream]:
    """The tokens of each requested split; without validation files the text's start is used."""
    if settings.test and not texts.test:
        raise HarnessError(f"{texts.place} has no test file", "set test = 0, or add one")
    counts = {split: count * settings.time + 1 for split, count in settings.counts.items() if count}
    if texts.train[0].suffix == shards.SUFFIX:
        return _streams_of_shards(texts, counts)
    files = tokenise(texts, settings.tokenizer, settings.vocabulary, counts)
    return {split: Stream((files[split],)) for split in counts}


def _streams_of_shards(texts: corpus.Corpus, counts: dict[str, int]) -> dict[str, Stream]:
    by_split = {
        split: Stream(tuple((file, shards.tokens_of(file)) for file in files))
        for split, files in texts.by_split.items()
    }
    if not texts.validation:
        whole, first = by_split["train"], counts["validation"]
        if len(whole) < counts["train"] + first:
            # A short text gives up at most a tenth.
            first = min(first, 1 + len(whole) // 10)
        by_split["validation"] = replace(whole, end=first)
        by_split["train"] = replace(whole, start=first)
    return {split: by_split[split] for split in counts}
