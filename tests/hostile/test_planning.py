"""What a submission may try before anything runs: weights in its folder, links, lucky points."""

import math
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.seeds import PUBLIC_ROUND_SEED
from harness.plan.points import draw_points, study_seed
from harness.submission import files
from harness.submission.resolution import resolve
from harness.submission.space import Space, read_space
from tests import kit

BEST = 0.01


def search(low: float) -> str:
    """A space whose rate is searched from `low` on."""
    return f"""{kit.space(learning_rate=BEST)}
[space.learning_rate]
min = {low!r}
max = 1.0
scale = "log"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return kit.write_submission(tmp_path / "entry", declared=search(1e-4))


def test_trained_weights_do_not_fit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "weights.bin").write_bytes(bytes(300 * 1024))
    with pytest.raises(HarnessError, match="at most 262144 bytes"):
        resolve(str(folder))
    monkeypatch.setattr(files, "CONTENT_LIMIT_BYTES", 2**20)
    assert resolve(str(folder)).ref.name == "entry"


def test_a_link_to_weights_elsewhere_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(8))
    (folder / "weights.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(HarnessError, match=r"weights\.bin is a symbolic link to"):
        resolve(str(folder))


def test_another_name_draws_the_same_points(folder: Path, tmp_path: Path) -> None:
    other = folder.rename(tmp_path / "luckier")
    seed = study_seed(PUBLIC_ROUND_SEED, "quick", "mlp", 1)
    before = draw_points(read_space(other / "space.toml"), seed, 3)
    again = other.rename(tmp_path / "another")
    assert draw_points(resolve(str(again)).space, seed, 3) == before


def luck(space: Space, round_seed: str) -> float:
    """How near the best of three points comes to the best rate, in decades."""
    points = draw_points(space, study_seed(round_seed, "quick", "mlp", 1), 3)
    return min(abs(math.log10(float(point["learning_rate"]) / BEST)) for point in points)


def test_a_space_ground_for_the_public_seed_is_not_lucky_under_a_secret_one(tmp_path: Path) -> None:
    spaces = []
    for number in range(60):
        file = tmp_path / f"{number}.toml"
        file.write_text(search(1e-4 * (1.0 + 1e-6 * number)))
        spaces.append(read_space(file))
    ground = min(spaces, key=lambda space: luck(space, PUBLIC_ROUND_SEED))
    secret = [f"secret {number}" for number in range(60)]
    of_ground = sum(luck(ground, seed) for seed in secret) / len(secret)
    of_first = sum(luck(spaces[0], seed) for seed in secret) / len(secret)
    assert luck(ground, PUBLIC_ROUND_SEED) < 0.1 * of_first  # it does work where the seed is known
    assert abs(of_ground - of_first) < 0.35 * of_first
