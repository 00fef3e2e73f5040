"""`harness data prepare wikitext-2`: whole or not at all."""

import resource
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from harness.cli.data import app
from harness.core.errors import HarnessError
from workloads.data import corpus, wikitext
from workloads.data.wikitext import FILES, prepare_wikitext


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A server's folder with all of WikiText-2 in small."""
    folder, files = FILES["wikitext-2"]
    place = tmp_path / "home" / folder
    place.mkdir(parents=True)
    for file in files:
        rows = [" = Title = \n", "", f" a line of {file} . \n"]
        parquet.write_table(pyarrow.table({"text": rows}), place / file)
    handler = partial(Quiet, directory=str(tmp_path / "home"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        monkeypatch.setattr(wikitext, "BASE", f"http://127.0.0.1:{server.server_port}")
        yield place
        server.shutdown()
        thread.join()


def silent(have_bytes: int, total_bytes: int | None) -> None:
    pass


def test_it_is_fetched_whole_and_once(home: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    result = CliRunner().invoke(app, ["prepare", "wikitext-2", "--data-dir", str(data_dir)])
    assert result.exit_code == 0, result.output
    parts = corpus.find("wikitext-2", data_dir, (corpus.PARQUET,))
    assert [len(files) for files in parts.by_split.values()] == [1, 1, 1]
    assert "".join(corpus.pieces(parts.test)).startswith(" = Title = \n a line of test")
    for file in home.iterdir():
        file.unlink()
    assert prepare_wikitext("wikitext-2", data_dir, None, silent) == data_dir / "wikitext-2"


def test_a_half_is_never_read_and_goes_on(home: Path, tmp_path: Path) -> None:
    last = home / FILES["wikitext-2"][1][-1]
    content = last.read_bytes()
    last.unlink()
    with pytest.raises(HarnessError, match="cannot download") as error:
        prepare_wikitext("wikitext-2", tmp_path, None, silent)
    assert "run the same command again to resume" in str(error.value)
    assert not (tmp_path / "wikitext-2").exists()
    with pytest.raises(HarnessError, match="no training text"):
        corpus.find("wikitext-2", tmp_path, (corpus.PARQUET,))
    last.write_bytes(content[:-1] + b"?")
    with pytest.raises(HarnessError, match="is not a Parquet file"):
        prepare_wikitext("wikitext-2", tmp_path, None, silent)
    last.write_bytes(content)
    assert len(list(prepare_wikitext("wikitext-2", tmp_path, None, silent).iterdir())) == 3


def test_a_damaged_file_is_fetched_again(home: Path, tmp_path: Path) -> None:
    folder = prepare_wikitext("wikitext-2", tmp_path, None, silent)
    damaged = folder / FILES["wikitext-2"][1][0]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:8] + bytes(len(whole) - 16) + whole[-8:])
    prepare_wikitext("wikitext-2", tmp_path, None, silent)
    assert damaged.read_bytes() == whole


def test_a_missing_library_is_no_damage(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare_wikitext("wikitext-2", tmp_path, None, silent)
    before = folder.stat()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(HarnessError, match=r"needs pyarrow\n  pip install"):
        prepare_wikitext("wikitext-2", tmp_path, None, silent)
    assert folder.stat() == before


def test_it_is_taken_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wikitext, "BASE", "http://127.0.0.1:9")
    source = tmp_path / "unpacked"
    source.mkdir()
    for split in ("train", "valid", "test"):
        (source / f"wiki.{split}.tokens").write_text("some text\n")
    folder = prepare_wikitext("wikitext-2", tmp_path / "data", source, silent)
    assert sorted(file.name for file in folder.iterdir()) == [
        "wiki.test.tokens",
        "wiki.train.tokens",
        "wiki.valid.tokens",
    ]


def test_an_interrupted_copy_is_no_part_of_a_download(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "unpacked"
    source.mkdir()
    (source / "wiki.train.tokens").write_text("some text\n")
    (source / "wiki.valid.tokens").write_text("some text\n" * 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.raises(HarnessError, match="cannot write wikitext-2"):
            prepare_wikitext("wikitext-2", tmp_path / "data", source, silent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    folder = prepare_wikitext("wikitext-2", tmp_path / "data", None, silent)
    assert {file.name for file in folder.iterdir()} == set(FILES["wikitext-2"][1])


def test_a_download_keeps_its_own_files_alone(home: Path, tmp_path: Path) -> None:
    making = tmp_path / "wikitext-2.making"
    making.mkdir()
    (making / "wiki.train.tokens").write_text("half a te")
    folder = prepare_wikitext("wikitext-2", tmp_path, None, silent)
    assert {file.name for file in folder.iterdir()} == set(FILES["wikitext-2"][1])


def test_a_broken_source_leaves_the_text_that_is_there(home: Path, tmp_path: Path) -> None:
    folder = prepare_wikitext("wikitext-2", tmp_path, None, silent)
    source = tmp_path / "unpacked"
    source.mkdir()
    (source / "wiki.train.tokens").write_bytes(b"caf\xe9\n")
    with pytest.raises(HarnessError, match=r"unpacked/wiki\.train\.tokens is not UTF-8"):
        prepare_wikitext("wikitext-2", tmp_path, source, silent)
    assert {file.name for file in folder.iterdir()} == set(FILES["wikitext-2"][1])


def test_a_download_that_cannot_be_read_is_not_kept(home: Path, tmp_path: Path) -> None:
    file = home / FILES["wikitext-2"][1][0]
    whole = file.read_bytes()
    file.write_bytes(whole[:8] + bytes(len(whole) - 16) + whole[-8:])
    with pytest.raises(HarnessError, match="is damaged or not a Parquet file"):
        prepare_wikitext("wikitext-2", tmp_path, None, silent)
    file.write_bytes(whole)
    assert prepare_wikitext("wikitext-2", tmp_path, None, silent).is_dir()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(HarnessError, match=f"cannot write wikitext-2 to {tmp_path}/data"):
        prepare_wikitext("wikitext-2", tmp_path / "data", None, silent)
