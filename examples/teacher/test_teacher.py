"""Whether submissions train on teacher; needs `pip install --editable .` first."""

import subprocess


def test_the_shipped_adamw_passes_every_check() -> None:
    """A workload that is declared wrongly fails one of them."""
    subprocess.run(["harness", "check", "adamw", "--workload", "teacher"], check=True)
