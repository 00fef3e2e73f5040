"""What an author reads of an error: their own file, not the copy that ran."""

from harness.worker.report import error_report

FOLDER = "/tmp/copy/submission"


def raised(code: str, message: str = "no") -> Exception:
    """What code that lies in the copy raises."""
    try:
        exec(compile(code, f"{FOLDER}/parts/rule.py", "exec"), {"message": message})
    except Exception as error:
        return error
    raise AssertionError(code)


def test_files_of_the_copy_are_named_as_in_the_authors_folder() -> None:
    report = error_report(raised("raise ValueError(message)", f"see {FOLDER}/a.py"), FOLDER)
    assert report.error == "ValueError: see a.py"
    assert report.frame.startswith("parts/rule.py:1 in <module>")


def test_without_a_copy_paths_are_as_they_are() -> None:
    report = error_report(raised("raise ValueError(message)"))
    assert report.frame.startswith(f"{FOLDER}/parts/rule.py:1")
