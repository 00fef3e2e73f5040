"""Copies a store to an object store, trial by trial as they come back.

Any file system of fsspec works: s3://BUCKET/RUNS, gs://BUCKET/RUNS, file:///mnt/runs. The store
itself stays a local folder, because object stores offer neither locks nor appends. A copy that is
downloaded again is a store like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.execution.ray.shipping import LOCK_FILE
from harness.plan.trial import Trial
from harness.record.ledger import LEDGER_FILE
from harness.record.store import TRIAL_FILE

TRIED_FILE = ".tried"
"""A file that is written and removed to check that the destination can be written."""


class StoreCopy:
    """The copy of one store.

    Args:
        store: the folder of the trials' records.
        url: the address of the copy.

    Raises:
        HarnessError: fsspec or the package for this kind of address is not installed, or the
            destination cannot be written.
    """

    def __init__(self, store: Path, url: str) -> None:
        self._store, self._url = store, url
        self._files, root = _file_system(url)
        self._root = root.rstrip("/")
        with self._name_errors():
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(f"{self._root}/{TRIED_FILE}", b"")
            self._files.rm_file(f"{self._root}/{TRIED_FILE}")

    def put(self, trial: Trial) -> None:
        """Copy a trial's files; `trial.json`, which says that it has ended, last.

        Raises:
            HarnessError: the place does not take them.
        """
        folder = self._store / trial.folder
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        for path in sorted(paths, key=lambda path: path.name == TRIAL_FILE):
            if path.name != LOCK_FILE:
                self._put(path)

    def complete(self, trials: Iterable[Trial]) -> None:
        """Copy those of some ended trials that are missing or differ in the copy, and the ledger.

        Raises:
            HarnessError: the place does not take them.
        """
        with self._name_errors():
            self._files.invalidate_cache()
            there = self._files.find(self._root, detail=True)
        for trial in trials:
            file = self._store / trial.folder / TRIAL_FILE
            copy = there.get(self._place(file))
            if copy is None or copy["size"] != file.stat().st_size:
                self.put(trial)
        self._put(self._store / LEDGER_FILE)

    def _put(self, path: Path) -> None:
        with self._name_errors():
            self._files.makedirs(self._place(path.parent), exist_ok=True)
            self._files.put_file(str(path), self._place(path))

    def _place(self, path: Path) -> str:
        return f"{self._root}/{path.relative_to(self._store).as_posix()}"

    @contextmanager
    def _name_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of whatever package serves the address
            raise HarnessError(
                f"cannot copy records to {self._url}: {type(error).__name__}: {error}",
                "all records are in the folder of the run; check the address (`copy_to` in the "
                "profile), its credentials and free space; the same command copies what is missing",
            ) from error


def _file_system(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    try:
        from fsspec.core import url_to_fs

        files, root = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise HarnessError(
            f"cannot copy records to {url}: {error}",
            "pip install 'guided-descent[fsspec]', and what serves the address: s3fs for s3://, "
            "gcsfs for gs://",
        ) from error
    return files, str(root)
