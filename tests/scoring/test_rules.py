from pathlib import Path

import pytest

from harness.core.errors import HarnessError, UnknownNameError
from scoring.rules import Rules, load_rules

TOML = """
base = ["criteo1tb", "fastmri"]
tau_max = 4.0
quadrature = { rule = "trapezoid", points = 100 }
[held_out]
fastmri_tanh = "fastmri"
[targets.fastmri]
metric = "validation/ssim"
direction = "maximize"
value = 0.723653
"""


def test_a_rules_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(TOML)
    rules = load_rules(str(path))
    assert rules.base == ("criteo1tb", "fastmri")
    assert rules.held_out == {"fastmri_tanh": "fastmri"}
    assert rules.targets["fastmri"].value == 0.723653


def test_held_out_and_targets_may_be_absent(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('base = ["a"]\nquadrature = { rule = "exact" }\n')
    assert load_rules(str(path)).quadrature.rule == "exact"


def test_targets_may_have_a_file_of_their_own(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    texts = [f'[{n}]\nmetric = "m"\ndirection = "maximize"\nvalue = 0.5\n' for n in names]
    (tmp_path / "targets.toml").write_text("".join(texts))
    path = tmp_path / "rules.toml"
    path.write_text('targets = "targets.toml"\nbase = ["a"]\n[held_out]\nb = "a"\n')
    assert set(load_rules(str(path)).targets) == {"a", "b"}
    path.write_text('targets = "targets.toml"\nbase = ["a", "d"]\n')
    with pytest.raises(HarnessError, match="has no target of d"):
        load_rules(str(path))


def test_algoperf_ships_with_eight_base_and_six_held_out_workloads() -> None:
    rules = load_rules("algoperf-v0.5")
    assert (len(rules.base), len(rules.held_out), len(rules.targets)) == (8, 6, 14)
    assert (rules.best_trial, rules.missing, rules.quadrature.points) == ("evaluation", "drop", 100)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'algoperf-v0\.5'"):
        load_rules("algoperf-v05")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("tau_max = 0.5", "tau_max"),
        ("taumax = 4.0", "taumax"),
        ('quadrature = { rule = "simpson" }', r"quadrature\.rule"),
        ('base = ["a"]\n[held_out]\nb = "c"', r"held_out\.b"),
        ("tau_max = ", "cannot read"),
        ('targets = "none.toml"', r"cannot read .*none\.toml"),
    ],
)
def test_a_mistake_names_its_key(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=key):
        load_rules(str(path))


def test_the_default_is_exact_and_counts_missing_studies() -> None:
    rules = load_rules()
    expected = Rules(time="crossing", best_trial="time", missing="not_reached")
    assert rules == expected.model_copy(update={"quadrature": rules.quadrature})
    assert rules.quadrature.rule == "exact"
