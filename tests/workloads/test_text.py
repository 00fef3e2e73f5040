"""Real text: whatever the form, tokenised once, cut into sequences that follow one another."""

import gzip
import multiprocessing
from importlib import metadata
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from harness.providers import registry
from tests.workloads.declared import data_of
from tests.workloads.text_made import Setting, of_text, text
from workloads.data import token_files
from workloads.data.cache import prepare_instance
from workloads.data.corpus import Corpus, find, pieces, split_of
from workloads.data.held_out import characters_of, held_out, remaining
from workloads.data.ids import permute_ids
from workloads.data.manifest import has_its_hashes
from workloads.data.sequences import CorpusSettings
from workloads.data.tokenizer import PairEncoding, Words
from workloads.lm import data as lm
from workloads.rnn import data as rnn
from workloads.spec import SuiteWorkload

SEED = "0123456789abcdef0123456789abcdef"
LINES = {"train": 400, "valid": 80, "test": 80}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/guided-descent/corpora"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    place = tmp_path / "data/made"
    place.mkdir(parents=True)
    for seed, (split, lines) in enumerate(LINES.items()):
        (place / f"{split}.txt").write_text(text(lines, seed), encoding="utf-8")
    return place


def prepare(place: Path, folder: Path, seed: str = SEED, **changed: Setting) -> Path:
    folder.mkdir(exist_ok=True)
    lm.prepare(of_text(**changed), seed, folder, place)
    return folder


def ids_of(
    folder: Path, split: str = "train", seed: str = SEED, vocabulary: int = 300
) -> list[int]:
    """The tokenizer's ids of a split, in a row."""
    inputs, targets = (np.load(folder / split / f"{name}.npy") for name in ("inputs", "targets"))
    assert inputs.dtype == targets.dtype == np.uint16
    assert np.array_equal(inputs.ravel()[1:], targets.ravel()[:-1])
    named = np.argsort(permute_ids(seed, vocabulary))
    return [*named[inputs.ravel()].tolist(), int(named[targets[-1, -1]])]


def test_pair_encoding_gives_the_text_back(corpus: Path, tmp_path: Path, cache: Path) -> None:
    folder = prepare(corpus.parent, tmp_path / "made", test=3)
    (stored,) = cache.iterdir()
    import tokenizers

    coder = tokenizers.Tokenizer.from_file(str(stored / "tokenizer.json"))
    for split, file in (("train", "train"), ("validation", "valid"), ("test", "test")):
        read_back = coder.decode(ids_of(folder, split))
        assert (corpus / f"{file}.txt").read_text().startswith(read_back)
        assert len(read_back) > 30
    assert np.load(folder / "train/inputs.npy").shape == (40, 8)


def test_words_are_the_most_frequent_ones_and_lines_end(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "train.txt").write_text("b a b\n\n b rare <unk> a\n" * 40 + "once\n")
    (tmp_path / "valid.txt").write_text("a never\n" * 40)
    rnn.prepare(of_text(tokenizer="word"), SEED, tmp_path, tmp_path)
    (folder,) = cache.iterdir()
    words = (folder / "words.txt").read_text().split()
    assert words == ["<unk>", "<eos>", "b", "a", "rare", "once"]
    assert [words[word] for word in ids_of(tmp_path)[:10]] == (
        ["b", "a", "b", "<eos>", "b", "rare", "<unk>", "a", "<eos>", "b"]
    )
    assert [words[word] for word in ids_of(tmp_path, "validation")[:3]] == ["a", "<unk>", "<eos>"]


def test_a_vocabulary_bounds_the_words() -> None:
    coder = Words.of([text(200)], 8)
    assert len(coder.words) == 8
    assert {int(ids.max()) for ids in coder.encode([text(50)])} == {7}


def test_every_form_gives_the_same_tokens(corpus: Path, tmp_path: Path) -> None:
    expected = ids_of(prepare(corpus.parent, tmp_path / "plain"))
    content = (corpus / "train.txt").read_text()
    (corpus / "train.txt").unlink()
    (corpus / "train.txt.gz").write_bytes(gzip.compress(content.encode()))
    assert ids_of(prepare(corpus.parent, tmp_path / "gz")) == expected
    (corpus / "train.txt.gz").unlink()
    rows = [line + "\n" for line in content.split("\n")[:-1]]
    parquet.write_table(pyarrow.table({"text": rows}), corpus / "train-00000-of-00001.parquet")
    assert ids_of(prepare(corpus.parent, tmp_path / "parquet")) == expected


def test_a_line_ends_at_its_line_feed_alone() -> None:
    coder = Words.of(["a b"], 4)
    (ids,) = coder.encode(["a\u2028b\x0ca\r\nb\n"])
    assert [coder.words[number] for number in ids] == ["a", "b", "a", "<eos>", "b", "<eos>"]


def test_rows_that_are_documents_are_parted_by_a_blank_line(tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["one\ntwo", "", None, "three"], "id": list("abcd")})
    parquet.write_table(table, tmp_path / "shard.parquet")
    assert "".join(pieces([tmp_path / "shard.parquet"])) == "one\ntwo\n\nthree\n\n"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("ptb.valid.txt", "validation"),
        ("wiki.train.tokens", "train"),
        ("test-00000-of-00001.parquet", "test"),
        ("edu_fineweb_val_000000.bin", "validation"),
        ("dev.txt.gz", "validation"),
        ("latest_trainings.txt", "train"),
    ],
)
def test_names_say_the_split(name: str, split: str) -> None:
    assert split_of(Path(name)) == split


def test_the_data_folder_itself_may_be_the_corpus(corpus: Path) -> None:
    by_name = find("made", corpus.parent, (".txt",))
    assert by_name == find("made", corpus, (".txt",)) == find(str(corpus), None, (".txt",))
    assert by_name == Corpus(
        corpus, (corpus / "train.txt",), (corpus / "valid.txt",), (corpus / "test.txt",)
    )
    assert set(lm.source_files(of_text(), corpus)) == set(by_name.files)


def test_without_a_file_for_it_validation_begins_the_text(tmp_path: Path, cache: Path) -> None:
    start, rest = "held out\n" * 72, text(1000)
    (tmp_path / "train.txt").write_text(start + rest)
    folder = prepare(tmp_path, tmp_path / "instance", tokenizer="word")
    coder = Words.of([rest], 300)
    (words,) = cache.glob("*/words.txt")
    assert words.read_text().split() == coder.words
    (ids,) = coder.encode([rest])
    assert ids_of(folder, "validation") == [0, 0, 1] * 27
    assert ids_of(folder, "train") == ids[:321].tolist()


@pytest.mark.parametrize("end", [" ", "\n"])
def test_what_is_held_out_ends_between_two_words(end: str) -> None:
    texts = ["one two" + end, "three" + end, "four"]
    for characters, expected in ((1, 4), (4, 4), (5, 8), (8, 8), (9, 14), (99, 18)):
        start = "".join(held_out(texts, characters))
        assert start == "".join(texts)[:expected]
        assert start + "".join(remaining(texts, characters)) == "".join(texts)


def test_a_short_text_gives_up_a_tenth_of_its_characters() -> None:
    assert characters_of(["x" * 300, "x" * 339], 8) == 63
    assert characters_of(["x" * 300, "x" * 400], 8) == 64
    assert characters_of([], 8) == 1


def test_instances_name_the_same_tokens_otherwise(corpus: Path, tmp_path: Path) -> None:
    first = prepare(corpus, tmp_path / "first")
    second = prepare(corpus, tmp_path / "second", seed="f" * 32)
    assert ids_of(first) == ids_of(second, seed="f" * 32)
    inputs = [np.load(folder / "train/inputs.npy") for folder in (first, second)]
    assert (inputs[0] == inputs[1]).mean() < 0.2


def test_a_text_is_tokenised_once(
    corpus: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(corpus, tmp_path / "first")
    (folder,) = cache.iterdir()
    assert has_its_hashes(folder)
    with monkeypatch.context() as patch:
        patch.delattr(PairEncoding, "encode")
        prepare(corpus, tmp_path / "second", seed="f" * 32)
    (corpus / "train.txt").write_text(text(500, 9))
    prepare(corpus, tmp_path / "changed")
    monkeypatch.setattr(token_files, "FORMAT_VERSION", token_files.FORMAT_VERSION + 1)
    prepare(corpus, tmp_path / "format")
    prepare(corpus, tmp_path / "vocabulary", vocabulary=310)
    assert len(list(cache.iterdir())) == 4


class OfText:
    """`lm` on a small text, as the cache sees it."""

    def content_hash(self, suite: str) -> str:
        return "a" * 64

    def at(self, suite: str) -> SuiteWorkload:
        return registry.workload("lm").at(suite).model_copy(update={"data": of_text()})

    def module(self, name: str) -> ModuleType:
        return lm


def test_tokens_are_in_the_cache_of_their_instances(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    place = prepare_instance(OfText(), "quick", SEED, corpus, tmp_path / "own")
    assert place.is_relative_to(tmp_path / "own/instances")
    assert list((tmp_path / "own/corpora").glob("*/train.tokens"))
    assert not cache.exists()
    prepare(corpus, tmp_path / "made")
    assert cache.exists()


def test_another_version_of_the_library_makes_its_own_tokens(
    corpus: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("one", "another"):
        monkeypatch.setattr(metadata, "version", lambda _, library=library: library)
        for kind in ("bpe", "word"):
            prepare(corpus, tmp_path / "made", tokenizer=kind)
    # Whole words need no library.
    assert len(list(cache.iterdir())) == 3


def test_two_processes_at_once_tokenise_it_whole(corpus: Path, tmp_path: Path, cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    jobs = [
        context.Process(target=prepare, args=(corpus, tmp_path / str(number)))
        for number in range(2)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0, 0]
    assert ids_of(tmp_path / "0") == ids_of(tmp_path / "1")
    (folder,) = cache.iterdir()
    assert has_its_hashes(folder)


def test_a_corpus_of_fewer_sequences_is_taken_whole(corpus: Path, tmp_path: Path) -> None:
    folder = prepare(corpus, tmp_path / "all", train=10**6, validation=10**6, tokenizer="word")
    (ids,) = Words.of(pieces([corpus / "train.txt"]), 300).encode(pieces([corpus / "train.txt"]))
    count = 8 * ((len(ids) - 1) // 8) + 1
    assert ids_of(folder) == ids[:count].tolist()
    assert 8 < len(ids_of(folder, "validation")) < len(ids)
    (corpus / "valid.txt").unlink()
    folder = prepare(corpus, tmp_path / "parted", train=10**6, validation=10**6, tokenizer="word")
    assert 8 < len(ids_of(folder, "validation")) < len(ids) // 9


@pytest.mark.parametrize("name", ["lm", "rnn"])
@pytest.mark.parametrize("suite", ["standard", "large"])
def test_every_suite_demands_a_batch_of_sequences(name: str, suite: str) -> None:
    size = registry.workload(name).at(suite)
    settings = CorpusSettings.model_validate(data_of(size).settings)
    assert min(settings.least, settings.train) >= size.batch_size
