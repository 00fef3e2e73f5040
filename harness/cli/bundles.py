"""Bundles: a folder of records as one archive that can be verified elsewhere.

    FILE.tar.gz
        bundle.json                          form, harness, SHA-256 of every other file
        store/...                            trial.json, events.jsonl, ledger.jsonl: the evidence
        submissions/<content hash>/...       the code of each entry, where it is what ran

The same records produce the same bytes, so that a bundle is identified by its own SHA-256.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any

from harness.core.content import sha256_contents
from harness.core.errors import CannotWriteError, HarnessError
from harness.core.files import write_through
from harness.record.ledger import LEDGER_FILE
from harness.record.store import EVENTS_FILE, read_record, record_paths
from harness.submission.reference import SubmissionRef
from harness.submission.resolution import resolve

FORM = 1
MANIFEST = "bundle.json"
STORE = "store"
SUBMISSIONS = "submissions"
LARGEST = 4 << 30
"""Maximum unpacked size of a bundle in bytes: a small archive could expand enormously."""
HINT = "make one: harness bundle STORE --out FILE.tar.gz"


def write_bundle(store: Path, out: Path, version: str) -> str:
    """Write a folder of records as a bundle; returns its SHA-256.

    Raises:
        HarnessError: the folder holds no trial, or the file cannot be written.
    """
    contents = dict(_evidence(store)) | dict(_code(store))
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    manifest = {"form": FORM, "harness": version, "files": dict(sorted(files.items()))}
    contents[MANIFEST] = (json.dumps(manifest, indent=1) + "\n").encode()
    archive = _archive(contents)
    draft = out.with_name(f".{out.name}.draft")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_through(draft, archive)
        draft.replace(out)
    except OSError as error:
        raise CannotWriteError.of(out, error, "name another file") from error
    finally:
        draft.unlink(missing_ok=True)
    return hashlib.sha256(archive).hexdigest()


def _evidence(store: Path) -> Iterator[tuple[str, bytes]]:
    paths = record_paths(store)
    if not paths:
        raise HarnessError(
            f"no trials in {store}", "`harness run --out DIR` writes trials into a folder"
        )
    files = [store / LEDGER_FILE]
    files += [file for path in paths for file in (path, path.with_name(EVENTS_FILE))]
    for file in files:
        if file.exists():
            yield f"{STORE}/{file.relative_to(store).as_posix()}", file.read_bytes()


def _code(store: Path) -> Iterator[tuple[str, bytes]]:
    """The files of each submission whose code on this machine is the code that ran."""
    refs = {read_record(path).trial.submission for path in record_paths(store)}
    for ref in sorted(refs, key=lambda ref: ref.content_hash):
        for name, content in code_of(ref).items():
            yield f"{SUBMISSIONS}/{ref.content_hash}/{name}", content


def code_of(ref: SubmissionRef) -> dict[str, bytes]:
    """The files of a submission; empty if the code that ran is not on this machine."""
    try:
        submission = resolve(ref.name if ref.is_shipped else ref.location)
    except (HarnessError, OSError):
        return {}
    return dict(submission.contents) if submission.ref.content_hash == ref.content_hash else {}


def is_code_of(content_hash: str, contents: Mapping[str, bytes]) -> bool:
    """Whether files match a content hash; only its first half depends on the files."""
    return bool(contents) and sha256_contents(contents)[:32] == content_hash[:32]


def _archive(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    # Neither times nor owners: the same records make the same bytes.
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in [MANIFEST, *sorted(contents.keys() - {MANIFEST})]:
            entry = tarfile.TarInfo(name)
            entry.size = len(contents[name])
            archive.addfile(entry, io.BytesIO(contents[name]))
    return buffer.getvalue()


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, which is the name of a bundle."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack_bundle(bundle: Path, into: Path) -> Path:
    """Unpack a bundle into an empty folder and check every byte; returns the folder of its records.

    Raises:
        HarnessError: the file is not a bundle, or a file in it is missing, unexpected, or differs
            from the manifest.
    """
    try:
        with tarfile.open(bundle, "r:gz") as archive:
            contents = _read(archive, bundle)
    except (OSError, tarfile.TarError, EOFError, ValueError) as error:
        raise HarnessError(f"{bundle} is not a bundle: {error}", HINT) from error
    files = _manifest(contents.pop(MANIFEST, b""), bundle)
    for name in sorted(files.keys() ^ contents.keys()):
        what = "is missing" if name in files else "is in no manifest"
        raise HarnessError(f"{bundle}: {name} {what}", HINT)
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != files[name]:
            raise HarnessError(f"{bundle}: {name} differs from the manifest", HINT)
        place = into / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return into / STORE


def opened_store(path: Path, stack: ExitStack) -> Path:
    """A folder of records, or that of a bundle, which stays unpacked until the stack closes.

    Raises:
        HarnessError: there is no such folder or bundle.
    """
    if path.is_file():
        return unpack_bundle(path, Path(stack.enter_context(tempfile.TemporaryDirectory())))
    if not path.is_dir():
        raise HarnessError(f"there is no folder '{path}'", "give the folder of a `harness run`")
    return path


def _read(archive: tarfile.TarFile, bundle: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    bytes_left = LARGEST
    for entry in archive:
        path = PurePosixPath(entry.name)
        if not entry.isfile() or path.is_absolute() or ".." in path.parts or len(path.parts) > 8:
            raise HarnessError(f"{bundle}: '{entry.name}' does not belong in a bundle", HINT)
        bytes_left -= entry.size
        file = archive.extractfile(entry)
        if bytes_left < 0 or file is None or entry.name in contents:
            raise HarnessError(f"{bundle}: '{entry.name}' appears twice or is too large", HINT)
        contents[entry.name] = file.read()
    return contents


def _manifest(content: bytes, bundle: Path) -> dict[str, str]:
    try:
        manifest: Any = json.loads(content)
        form, files = manifest["form"], manifest["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{bundle} is not a bundle: it has no {MANIFEST}", HINT) from error
    if form != FORM or not isinstance(files, dict):
        raise HarnessError(f"{bundle} has form {form}; this harness reads {FORM}", HINT)
    return files
