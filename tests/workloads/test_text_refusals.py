"""Text and shards that will not do: each error names the file and the way out."""

import errno
import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from harness.core.errors import HarnessError, UnknownNameError
from tests.workloads.text_made import of_shards, of_text, shard, text
from workloads.data import stream, token_files
from workloads.data.corpus import pieces
from workloads.data.ids import permute_ids
from workloads.data.manifest import is_whole
from workloads.lm import data as lm
from workloads.spec import Data

SEED = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/guided-descent/corpora"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "made"
    place.mkdir()
    (place / "train.txt").write_text(text(400), encoding="utf-8")
    (place / "valid.txt").write_text(text(80), encoding="utf-8")
    return place


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    place = tmp_path / "shards"
    place.mkdir()
    tokens = np.random.default_rng(0).integers(0, 50257, size=600)
    shard(place / "edu_fineweb_val_000000.bin", tokens[:100])
    shard(place / "edu_fineweb_train_000001.bin", tokens[100:300])
    shard(place / "edu_fineweb_train_000002.bin", tokens[300:])
    return place


def refusal(data: Data, place: Path) -> str:
    folder = place.parent / "instance"
    folder.mkdir(exist_ok=True)
    with pytest.raises(HarnessError) as error:
        lm.prepare(data, SEED, folder, place)
    corpora = place.parent / "cache/guided-descent/corpora"
    assert all(is_whole(stored) for stored in corpora.glob("*"))
    return str(error.value)


def test_no_text_names_the_folder_and_what_to_do(tmp_path: Path) -> None:
    message = refusal(of_text(corpus="wikitext-103"), tmp_path)
    assert f"in {tmp_path}" in message
    assert ".txt.gz" in message
    assert "harness data prepare wikitext-103" in message
    assert "--data-dir DIR" in message


@pytest.mark.parametrize("name", ["test.txt", "my.test.corpus.txt"])
def test_no_text_to_train_on_names_what_there_is(place: Path, name: str) -> None:
    (place / "train.txt").rename(place / name)
    message = refusal(of_text(), place)
    assert f"in {place}: {name} is for test, valid.txt is for validation" in message
    assert "or none of them: valid, validation, val, dev, test" in message


def test_a_single_file_that_is_named_after_another_split(place: Path) -> None:
    message = refusal(of_text(), place / "valid.txt")
    assert f"in {place}/valid.txt: valid.txt is for validation" in message


@pytest.mark.parametrize("split", ["train", "valid"])
def test_an_empty_text(place: Path, split: str) -> None:
    (place / f"{split}.txt").write_text("")
    message = refusal(of_text(), place)
    assert "text is empty: " in message
    assert f"{place}/{split}.txt" in message


def test_a_text_of_less_than_one_sequence(place: Path) -> None:
    (place / "train.txt").write_text("a few words .\n")
    message = refusal(of_text(train=1, tokenizer="word"), place)
    assert "train: 5 tokens make 0 sequences of 8; at least 1 are needed" in message
    assert f"add text next to {place}/train.txt" in message


def test_a_text_of_less_than_one_batch(place: Path) -> None:
    (place / "train.txt").write_text(text(50))
    message = refusal(of_text(train=4000, tokenizer="word"), place)
    assert "sequences of 8; at least 64 are needed" in message
    assert f"add text next to {place}/train.txt, or use a larger corpus" in message
    assert f"{place.parent}/cache" not in message


def test_too_little_to_part_off_a_validation_split(place: Path) -> None:
    (place / "valid.txt").unlink()
    (place / "train.txt").write_text("a few words .\n")
    message = refusal(of_text(train=1, tokenizer="word"), place)
    assert f"add text next to {place}/train.txt, or use a larger corpus" in message


def test_text_that_is_not_utf8(place: Path) -> None:
    with (place / "train.txt").open("ab") as file:
        file.write("café\n".encode("latin-1"))
    message = refusal(of_text(), place)
    assert f"{place}/train.txt is not UTF-8" in message
    assert "iconv" in message


@pytest.mark.parametrize("damage", ["cut", "changed", "none"])
def test_a_damaged_archive(place: Path, damage: str) -> None:
    (place / "train.txt").unlink()
    whole = gzip.compress(text(4000).encode())
    middle = len(whole) // 2
    content = {
        "cut": whole[:middle],
        "changed": whole[:middle] + bytes(200) + whole[middle + 200 :],
        "none": b"no archive at all",
    }[damage]
    (place / "train.txt.gz").write_bytes(content)
    message = refusal(of_text(), place)
    assert f"{place}/train.txt.gz is damaged or cut short" in message
    assert "gzip --test train.txt.gz" in message


def only_parquet(place: Path, table: pyarrow.Table) -> Path:
    """A table as the only text to train on."""
    (place / "train.txt").unlink()
    parquet.write_table(table, place / "train.parquet")
    return place / "train.parquet"


def test_a_parquet_file_without_text_or_cut_short(place: Path) -> None:
    file = only_parquet(place, pyarrow.table({"content": ["a"], "url": ["b"]}))
    assert f"{file} has no column 'text'\n  its columns: content, url" in refusal(of_text(), place)
    os.truncate(file, 100)
    assert f"{file} is damaged or not a Parquet file" in refusal(of_text(), place)


@pytest.mark.parametrize(
    ("column", "kind"), [([b"caf\xe9"], "binary"), ([1, 2], "int64"), ([["a"]], "list<")]
)
def test_a_parquet_column_of_another_type(place: Path, column: list[object], kind: str) -> None:
    file = only_parquet(place, pyarrow.table({"text": column}))
    message = refusal(of_text(), place)
    assert f"column 'text' of {file} is of type {kind}" in message
    assert "allowed: string" in message


def test_a_parquet_column_that_is_not_utf8(place: Path) -> None:
    latin = pyarrow.array(["fine", "café".encode("latin-1")], type=pyarrow.binary())
    file = only_parquet(place, pyarrow.table({"text": latin.view(pyarrow.string())}))
    message = refusal(of_text(), place)
    assert f"column 'text' of {file} is not UTF-8 after row 0" in message


@pytest.mark.parametrize("kind", [pyarrow.large_string(), pyarrow.dictionary("int32", "string")])
def test_every_parquet_type_of_text_is_read(tmp_path: Path, kind: pyarrow.DataType) -> None:
    file = tmp_path / "train.parquet"
    parquet.write_table(pyarrow.table({"text": pyarrow.array(["a b", "c"]).cast(kind)}), file)
    assert "".join(pieces([file])) == "a b\n\nc\n\n"


@pytest.mark.parametrize(
    ("library", "needs"), [("tokenizers", "byte-pair"), ("pyarrow", "train.parquet needs")]
)
def test_a_library_that_is_missing(
    place: Path, monkeypatch: pytest.MonkeyPatch, library: str, needs: str
) -> None:
    if library == "pyarrow":
        parquet.write_table(pyarrow.table({"text": ["a"]}), place / "train.parquet")
        (place / "train.txt").unlink()
    monkeypatch.setitem(sys.modules, library, None)
    message = refusal(of_text(), place)
    assert needs in message
    assert "pip install 'guided-descent[text]'" in message


def test_shards_in_their_true_format(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir()
    lm.prepare(of_shards(train=60), SEED, tmp_path / "instance", shards)
    inputs = np.load(tmp_path / "instance/train/inputs.npy")
    assert (inputs.shape, inputs.dtype) == ((60, 8), np.uint16)
    named = np.argsort(stream_ids := permute_ids(SEED, 50304))
    tokens = np.random.default_rng(0).integers(0, 50257, size=600)
    assert len(stream_ids) == 50304
    assert np.array_equal(named[inputs.ravel()], tokens[100:580])
    targets = np.load(tmp_path / "instance/validation/targets.npy")
    assert np.array_equal(named[targets.ravel()], tokens[1:81])


def test_shards_as_parquet_are_tokenised(tmp_path: Path) -> None:
    rows = [text(10, seed) for seed in range(60)]
    columns = {"text": rows, "id": [str(row) for row in range(60)], "score": [3.0] * 60}
    parquet.write_table(pyarrow.table(columns), tmp_path / "000_00000.parquet")
    (tmp_path / "instance").mkdir()
    lm.prepare(of_shards(), SEED, tmp_path / "instance", tmp_path)
    assert np.load(tmp_path / "instance/train/targets.npy").shape == (40, 8)


def test_a_shard_of_another_vocabulary(shards: Path) -> None:
    data = of_shards()
    smaller = data.model_copy(update={"settings": data.settings | {"vocabulary": 32000}})
    message = refusal(smaller, shards)
    assert f"{shards}/edu_fineweb_train_000001.bin has token" in message
    assert "outside the workload's vocabulary of 32000" in message


def test_a_file_that_is_no_shard_or_cut_short(shards: Path) -> None:
    file = shards / "edu_fineweb_train_000001.bin"
    os.truncate(file, 1024 + 300)
    assert f"{file} declares 200 tokens but has 150" in refusal(of_shards(), shards)
    file.write_bytes(b"no shard")
    assert f"{file} is not a token shard: it begins with" in refusal(of_shards(), shards)


def test_two_tokenisations_in_one_folder(shards: Path) -> None:
    parquet.write_table(pyarrow.table({"text": ["a"]}), shards / "train.parquet")
    assert "has both token shards (.bin) and Parquet files" in refusal(of_shards(), shards)


@pytest.mark.parametrize("key", ["time", "vocabulary", "tokenizer"])
def test_settings_that_are_not_allowed(place: Path, key: str) -> None:
    message = refusal(of_text(**{key: "many"}), place)
    assert f"lm: data setting '{key}' is 'many'" in message
    with pytest.raises(HarnessError, match=f"lm: data setting '{key}' is 'many'"):
        lm.source_files(of_text(**{key: "many"}), place)
    assert "settings: corpus, train" in message


def test_an_unknown_source_is_named(place: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'text'"):
        lm.prepare(Data(source="txt"), SEED, place, None)


def test_a_test_split_that_is_not_there(place: Path) -> None:
    assert f"{place} has no test file" in refusal(of_text(test=5), place)


def test_a_full_disk_leaves_no_tokens(
    place: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> np.ndarray:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(token_files, "as_ids", full)
    message = refusal(of_text(), place)
    assert f"cannot write prepared data below {cache.parent}: No space left" in message
    assert "XDG_CACHE_HOME" in message
    assert list(cache.iterdir()) == []


def test_a_torn_file_of_tokens_is_made_again(place: Path, cache: Path) -> None:
    folder = place.parent / "instance"
    folder.mkdir()
    lm.prepare(of_text(), SEED, folder, place)
    before = np.load(folder / "train/inputs.npy")
    (stored,) = cache.iterdir()
    os.truncate(stored / "train.tokens", 100)
    lm.prepare(of_text(), SEED, folder, place)
    assert np.array_equal(np.load(folder / "train/inputs.npy"), before)
    assert is_whole(stored)


def test_the_data_folder_is_only_read(place: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in (place, *place.iterdir())}
    (place.parent / "instance").mkdir()
    lm.prepare(of_text(), SEED, place.parent / "instance", place)
    assert before == {file: file.stat().st_mtime_ns for file in (place, *place.iterdir())}


def test_memory_is_bounded_by_the_piece(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.parent / "whole").mkdir()
    (place.parent / "pieces").mkdir()
    lm.prepare(of_text(), SEED, place.parent / "whole", place)
    monkeypatch.setattr(stream, "PIECE_TOKENS", 17)
    lm.prepare(of_text(), SEED, place.parent / "pieces", place)
    for name in ("inputs", "targets"):
        files = [place.parent / part / f"train/{name}.npy" for part in ("whole", "pieces")]
        assert files[0].read_bytes() == files[1].read_bytes()
