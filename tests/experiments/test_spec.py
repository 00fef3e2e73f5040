"""What an experiment's file may say; all that ship can be planned."""

from __future__ import annotations

from itertools import chain, pairwise

import pytest

from experiments.figures import KINDS
from experiments.figures.drawing import ORDER
from experiments.files import experiment_names, read_experiment, shipped_experiments
from experiments.metrics import NAMES, OF_WEIGHTS
from experiments.spec import Experiment
from experiments.trials import plan_experiment, select_rehearsals
from harness.core.errors import HarnessError
from harness.frameworks.examples import EvalConfig
from harness.frameworks.load import evaluation_backend
from harness.frameworks.model_source import specs_of
from harness.plan.trial import DIAGNOSTICS
from harness.referee.diagnostics import together, wanted_diagnostics
from tests.frameworks.kit import SOURCE, examples, parameters
from workloads.toml import parse_toml

TEXT = """
title = "A test"
source = "nowhere"
question = "Which?"
[full]
suite = "landscapes"
workload = "rosenbrock"
variants = ["base", "upper_right"]
instances = 2
steps = 10
points = 5
[quick]
suite = "landscapes"
workload = "rosenbrock"
steps = 4
points = 2
every = 2
[[entries]]
submission = "sgd"
set = { nesterov = false }
sweep = { learning_rate = [0.1, 0.2, 0.3], momentum = [0.0, 0.9] }
[[entries]]
submission = "adamw"
[measure]
metric = "loss"
direction = "minimize"
[figure]
kind = "paths"
"""


def experiment(old: str = "", new: str = "", more: str = "") -> Experiment:
    return parse_toml(TEXT.replace(old, new) + more, "test.toml", Experiment)


def refusal(old: str = "", new: str = "", more: str = "", text: str = TEXT) -> str:
    with pytest.raises(HarnessError) as error:
        spec = parse_toml(text.replace(old, new) + more, "test.toml", Experiment)
        plan_experiment(spec, spec.full)
    return str(error.value)


def test_every_combination_is_tried_on_every_variant_and_instance() -> None:
    spec = experiment()
    placed_trials = plan_experiment(spec, spec.full)
    places = {
        (p.entry, p.trial.variant, p.instance, tuple(p.swept.values())) for p in placed_trials
    }
    assert len(placed_trials) == len(places) == 2 * 2 * (3 * 2 + 1)
    assert len({each.trial.identity for each in placed_trials}) == len(placed_trials)


def test_entries_meet_the_same_instances() -> None:
    spec = experiment()
    placed_trials = plan_experiment(spec, spec.full)
    seeds = {(each.instance, each.trial.instance_seed) for each in placed_trials}
    assert len(seeds) == 2


def test_trials_are_counted_in_steps_and_train_to_their_end() -> None:
    spec = experiment()
    (first, *_) = plan_experiment(spec, spec.full)
    assert (first.trial.budget.steps, first.trial.stop_rule) == (10, "budget")
    assert first.trial.grid.points == 5
    assert not first.trial.is_scored


def test_geometric_evaluations_lie_a_fixed_ratio_apart_and_end_after_the_last_step() -> None:
    form = experiment().full.model_copy(
        update={"steps": 1000, "points": 20, "spacing": "geometric"}
    )
    (grid,) = {each.trial.grid for each in plan_experiment(experiment(), form)}
    places = [grid.fraction(point) for point in range(1, grid.points + 1)]
    ratios = {round(after / before, 9) for before, after in pairwise(places)}
    assert (len(places), places[0], places[-1], len(ratios)) == (20, 0.005, 1.0, 1)


def test_the_quick_form_thins_the_sweeps() -> None:
    spec = experiment()
    swept = [each.swept for each in plan_experiment(spec, spec.quick) if each.entry == "sgd"]
    assert swept == [
        {"learning_rate": 0.1, "momentum": 0.0},
        {"learning_rate": 0.3, "momentum": 0.0},
    ]


def test_a_rehearsal_meets_the_ends_of_every_sweep_of_numbers() -> None:
    spec = experiment()
    trials = list(select_rehearsals(plan_experiment(spec, spec.full)))
    points_met = {
        (t.submission.name, t.point["learning_rate"], t.point.get("momentum")) for t in trials
    }
    assert {rate for name, rate, _ in points_met if name == "sgd"} == {0.1, 0.3}
    assert {momentum for name, _, momentum in points_met if name == "sgd"} == {0.0, 0.9}
    assert len([name for name, *_ in points_met if name == "adamw"]) == 1
    assert len(trials) < 7


def test_a_rehearsal_meets_every_text_of_a_sweep() -> None:
    spec = experiment("momentum = [0.0, 0.9]", 'schedule = ["cosine", "linear", "constant"]')
    points_met = {
        trial.point["schedule"] for trial in select_rehearsals(plan_experiment(spec, spec.full))
    }
    assert points_met >= {"cosine", "linear", "constant"}


def test_a_batch_size_is_swept_like_a_hyperparameter_and_is_the_trials() -> None:
    spec = experiment("momentum = [0.0, 0.9]", "batch_size = [16, 64]")
    trials = [each.trial for each in plan_experiment(spec, spec.full) if each.entry == "sgd"]
    assert {trial.batch_size for trial in trials} == {16, 64}
    assert not any("batch_size" in trial.point for trial in trials)


def test_a_form_may_thin_one_sweep_alone() -> None:
    spec = experiment("every = 2", "every = { learning_rate = 3 }")
    swept = [each.swept for each in plan_experiment(spec, spec.quick) if each.entry == "sgd"]
    assert swept == [{"learning_rate": 0.1, "momentum": m} for m in (0.0, 0.9)]


def test_trials_measure_what_the_experiment_declares() -> None:
    spec = experiment('question = "Which?"', 'question = "Which?"\ndiagnostics = ["weights"]')
    assert {each.trial.diagnostics for each in plan_experiment(spec, spec.quick)} == {("weights",)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"framework": "jax", "variants": ("tiny",)}, "not computed in jax"),
        ({"variants": ("tiny", "base")}, "variant 'base' of small_mlp has 6922 parameters"),
    ],
)
def test_curvature_that_cannot_be_computed_is_refused_before_anything_runs(
    changes: dict[str, object], words: str
) -> None:
    spec = experiment('question = "Which?"', 'question = "Which?"\ndiagnostics = ["curvature"]')
    form = spec.full.model_copy(update={"workload": "small_mlp", **changes})
    with pytest.raises(HarnessError, match=words):
        plan_experiment(spec, form)


def test_every_submission_of_an_experiment_has_a_colour_of_its_own() -> None:
    shipped_ones = [e for e in shipped_experiments().values() if isinstance(e, Experiment)]
    names_used = {entry.submission for each in shipped_ones for entry in each.entries}
    assert names_used <= set(ORDER)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("momentum = [", "momentun = [", "unknown hyperparameter 'momentun'; did you mean"),
        ('"upper_right"', '"uper_right"', "unknown variant 'uper_right'; did you mean"),
        ('workload = "rosenbrock"', 'workload = "rosenbrok"', "did you mean 'rosenbrock'?"),
        ('submission = "adamw"', 'submission = "sgd"', "two entries have the same name"),
        ("points = 5", "points = 11", "points is 11, but there are only 10 steps"),
        ("points = 5", 'points = 5\nspacing = "geometric"', "needs at least 9 points"),
        ('kind = "paths"', 'kind = "sweep"', "'over' is required with kind = 'sweep'"),
        ('kind = "paths"', 'kind = "sweep"\nover = "beta1"', "no entry sweeps 'beta1'"),
        ("nesterov = false", "momentum = 0.9", "sweeps 'momentum', which is set"),
        ('"loss"', '"los"', "unknown metric of the measure 'los'; did you mean 'loss'?"),
        ('kind = "paths"', 'kind = "curves"\nmetrics = ["distanse"]', "did you mean 'distance'?"),
        (
            'direction = "minimize"',
            'direction = "minimize"\nat = "target"',
            "'target' is required with",
        ),
        ('kind = "paths"', 'kind = "curves"\nlines = "period"', "no entry sweeps 'period'"),
        ('kind = "paths"', 'kind = "curves"\nlines = "variant"', "lines and panels are both"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, words: str) -> None:
    assert words in refusal(old, new)


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ('entry = "adam"\nbound = 1.0', "a claim is about 'adam'; entries: sgd, adamw"),
        ('entry = "sgd"', "give either 'bound' or 'than'"),
        ('entry = "sgd"\nbound = 1.0\nthan = "adamw"', "give either 'bound' or 'than'"),
        ('entry = "sgd"\nbound = 1.0\nis = "near"', "'margin' is required with is = 'near'"),
        ("", "give 'entry', or say under 'untested' why"),
        ('entry = "sgd"\nbound = 1.0\nat = { learning_rate = 0.2 }', "the quick form does not try"),
        ('entry = "sgd"\nbound = 1.0\nat = { momentun = 0.9 }', "which no entry sweeps"),
        ('entry = "sgd"\nbound = 1.0\nvariants = ["upper_rigth"]', "the full form does not try"),
        ('entry = "sgd"\nbound = 1.0\nvariants = ["upper_right"]', "the quick form does not try"),
        ('entry = "sgd"\nbound = 1.0\nmetric = "los"', "'It does.' 'los'; did you mean 'loss'?"),
        ('entry = "sgd"\nmetric = "x"\nthan_metric = "z"', "unknown metric of the claim"),
    ],
)
def test_a_claim_without_a_test_is_refused(claim: str, words: str) -> None:
    assert words in refusal(more=f'[[claims]]\nsays = "It does."\n{claim}\n')


def test_the_names_of_metrics_are_those_that_a_snapshot_has() -> None:
    evaluator = evaluation_backend("torch", "cpu", 1).evaluator(
        SOURCE, {}, examples(40), EvalConfig(4096)
    )
    specs = specs_of(SOURCE)
    compute = together(wanted_diagnostics(DIAGNOSTICS, evaluator, parameters(), specs))
    assert compute is not None
    weights = [name for name, spec in specs.items() if len(spec.shape) > 1]
    of_weights = {f"{kind}/{name}" for kind in OF_WEIGHTS for name in weights}
    assert set(compute(parameters())) == {*chain(*NAMES.values()), *of_weights}


def test_an_unknown_name_says_the_nearest() -> None:
    with pytest.raises(HarnessError, match="did you mean 'rosenbrock'"):
        read_experiment("rosenbrok")


@pytest.mark.parametrize("name", [name for name in experiment_names() if name != "projection"])
@pytest.mark.parametrize("is_quick", [True, False])
def test_what_ships_can_be_planned(name: str, is_quick: bool) -> None:
    spec = read_experiment(name)
    assert isinstance(spec, Experiment)
    assert plan_experiment(spec, spec.form(is_quick=is_quick))
    assert spec.figure.kind in KINDS


def test_a_claim_is_at_a_value_that_its_own_entry_tries() -> None:
    spec = experiment()
    sgd, adamw = spec.entries
    both = (sgd, adamw.model_copy(update={"sweep": {"learning_rate": (0.01, 0.03)}}))
    claim = {"says": "It does.", "entry": "adamw", "at": {"learning_rate": 0.1}, "bound": 1.0}
    whole = spec.model_dump(by_alias=True) | {"entries": both, "claims": [claim]}
    with pytest.raises(ValueError, match=r"'adamw' at learning_rate 0\.1, which the quick form"):
        Experiment.model_validate(whole)
