"""`harness data prepare cifar10`: from a path, and from a server that breaks off."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.data import app
from harness.core.errors import HarnessError, UnknownNameError
from tests.workloads.cifar_made import write_archive, write_folder
from workloads.data import cifar10, download
from workloads.data.download import prepare_cifar10
from workloads.data.paths import default_cache_dir, default_data_dir

pytestmark = pytest.mark.usefixtures("small_batches")


class Server(ThreadingHTTPServer):
    content = b""
    knows_ranges = True
    breaks_after: int | None = None
    ranges: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        header = self.headers["Range"]
        self.server.ranges.append(header)
        start = int(header[6:-1]) if header and self.server.knows_ranges else 0
        if start and start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.breaks_after])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.ranges = []
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        monkeypatch.setattr(download, "URL", f"http://127.0.0.1:{server.server_port}/archive")
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def archive(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    archive = write_archive(tmp_path / "made", monkeypatch)
    server.content = archive.read_bytes()
    return archive


def silent(have_bytes: int, total_bytes: int | None) -> None:
    pass


def test_a_broken_download_goes_on_where_it_broke(
    tmp_path: Path, server: Server, archive: Path
) -> None:
    server.breaks_after = 5000
    with pytest.raises(HarnessError, match=r"cannot download http.*after 5000 of \d+ bytes"):
        prepare_cifar10(tmp_path / "data", None, silent)
    server.breaks_after = None
    progress: list[tuple[int, int | None]] = []
    folder = prepare_cifar10(tmp_path / "data", None, lambda *counts: progress.append(counts))
    assert server.ranges == [None, "bytes=5000-"]
    assert progress[-1] == (len(server.content), len(server.content))
    assert progress[0][0] > 5000
    assert len(cifar10.load(folder).train.labels) == 100


def test_a_server_without_ranges_sends_all_again(
    tmp_path: Path, server: Server, archive: Path
) -> None:
    server.knows_ranges = False
    server.breaks_after = 5000
    with pytest.raises(HarnessError, match="broke after"):
        prepare_cifar10(tmp_path / "data", None, silent)
    server.breaks_after = None
    prepare_cifar10(tmp_path / "data", None, silent)
    assert (tmp_path / "data" / cifar10.ARCHIVE).read_bytes() == server.content


def test_a_part_that_was_whole_is_taken(tmp_path: Path, server: Server, archive: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / f"{cifar10.ARCHIVE}.part").write_bytes(server.content)
    prepare_cifar10(tmp_path / "data", None, silent)
    assert server.ranges == [f"bytes={len(server.content)}-"]


def test_a_wrong_download_is_thrown_away(tmp_path: Path, server: Server, archive: Path) -> None:
    right = server.content
    server.content = right[:-1] + b"?"
    with pytest.raises(HarnessError, match="MD5"):
        prepare_cifar10(tmp_path / "data", None, silent)
    server.content = right
    prepare_cifar10(tmp_path / "data", None, silent)


def test_what_is_there_is_not_fetched_again(tmp_path: Path, server: Server, archive: Path) -> None:
    for _ in range(2):
        prepare_cifar10(tmp_path / "data", None, silent)
    assert len(server.ranges) == 1


@pytest.mark.parametrize("archive_stays", [True, False])
def test_a_damaged_batch_is_fetched_again(
    tmp_path: Path, server: Server, archive: Path, archive_stays: bool
) -> None:
    folder = prepare_cifar10(tmp_path / "data", None, silent)
    os.truncate(folder / "data_batch_3", 1000)
    if not archive_stays:
        (tmp_path / "data" / cifar10.ARCHIVE).unlink()
    prepare_cifar10(tmp_path / "data", None, silent)
    assert len(cifar10.load(folder).train.labels) == 100
    assert len(server.ranges) == (1 if archive_stays else 2)


@pytest.mark.parametrize("form", ["archive", "folder", "parent"])
def test_from_a_path_there_is_no_download(
    tmp_path: Path, server: Server, archive: Path, form: str
) -> None:
    folder = archive.parent / "packing" / cifar10.FOLDER
    source = {"archive": archive, "folder": folder, "parent": folder.parent}[form]
    data_dir = tmp_path / "data"
    result = CliRunner().invoke(
        app, ["prepare", "cifar10", "--data-dir", str(data_dir), "--from", str(source)]
    )
    assert result.exit_code == 0, result.output
    assert server.ranges == []
    assert sorted(file.name for file in data_dir.iterdir()) == [cifar10.FOLDER]
    assert len(cifar10.load(data_dir).test.labels) == 20


@pytest.mark.parametrize("is_missing", [True, False])
def test_a_broken_folder_leaves_the_batches_that_are_there(
    tmp_path: Path, is_missing: bool
) -> None:
    place = prepare_cifar10(tmp_path / "data", write_folder(tmp_path / "good"), silent)
    broken = write_folder(tmp_path / "broken") / "data_batch_3"
    if is_missing:
        broken.unlink()
    else:
        os.truncate(broken, 1000)
    with pytest.raises(HarnessError, match=str(broken.parent)):
        prepare_cifar10(tmp_path / "data", broken.parent, silent)
    assert len(cifar10.load(place).train.labels) == 100


def test_no_network_names_both_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "URL", "http://127.0.0.1:9/archive")
    with pytest.raises(HarnessError, match="cannot download") as error:
        prepare_cifar10(tmp_path, None, silent)
    assert "--from PATH" in str(error.value)
    assert "--data-dir DIR" in str(error.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(HarnessError, match=f"cannot write CIFAR-10 to {tmp_path}/data"):
        prepare_cifar10(tmp_path / "data", None, silent)


def test_another_data_set_is_unknown() -> None:
    result = CliRunner().invoke(app, ["prepare", "cifar100"])
    assert isinstance(result.exception, UnknownNameError)
    assert "did you mean 'cifar10'?" in str(result.exception)


def test_default_folders_follow_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "share/guided-descent"
    assert default_cache_dir() == tmp_path / ".cache/guided-descent"
