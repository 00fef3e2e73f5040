"""What an author reads of an error: their own file, not the copy that ran."""

import pytest

from harness.core.errors import UnknownNameError
from harness.worker.report import error_report

FOLDER = "/tmp/copy/submission"


def raise_in(code: str, message: str = "no") -> Exception:
    """What code that lies in the copy raises."""
    try:
        exec(compile(code, f"{FOLDER}/parts/rule.py", "exec"), {"message": message})
    except Exception as error:
        return error
    raise AssertionError(code)


def test_files_of_the_copy_are_named_as_in_the_authors_folder() -> None:
    report = error_report(raise_in("raise ValueError(message)", f"see {FOLDER}/a.py"), FOLDER)
    assert report.error == "ValueError: see a.py"
    assert report.frame.startswith("parts/rule.py:1 in <module>")


def test_without_a_copy_paths_are_as_they_are() -> None:
    report = error_report(raise_in("raise ValueError(message)"))
    assert report.frame.startswith(f"{FOLDER}/parts/rule.py:1")


def test_the_authors_line_is_named_where_a_library_raised_below_it() -> None:
    report = error_report(raise_in("import json\njson.loads(message)", "not json"), FOLDER)
    assert report.frame == "parts/rule.py:2 in <module>: "


def test_the_names_that_are_known_are_said_in_one_line() -> None:
    names = [f"name_{number}" for number in range(30)]
    report = error_report(UnknownNameError("name", "other", names))
    assert report.error == f"unknown name 'other'; known: {', '.join(sorted(names))}"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", "out_of_memory"),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate", "out_of_memory"),
        ("RESOURCE_EXHAUSTED: Out of memory allocating 4294967296 bytes", "out_of_memory"),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED", "exception"),
    ],
)
def test_what_libraries_say_of_a_full_card_is_out_of_memory(text: str, cause: str) -> None:
    assert error_report(raise_in("raise RuntimeError(message)", text)).cause == cause
