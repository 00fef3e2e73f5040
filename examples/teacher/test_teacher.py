"""Whether submissions train on teacher; needs `pip install --editable .` first."""

import subprocess


def test_the_shipped_adamw_passes_every_check() -> None:
    subprocess.run(["harness", "check", "adamw", "--workload", "teacher"], check=True)
