"""CITATION.cff cites the version that pyproject.toml has."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_version_cited_is_the_package_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "CITATION.cff").read_text()
    cited = dict(re.findall(r"^(version|license): (.+)$", text, re.MULTILINE))
    assert cited == {"version": project["version"], "license": project["license"]}
