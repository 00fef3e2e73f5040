"""AlgoPerf's round of 2026 (v0.6): published median times give the published scores."""

from __future__ import annotations

import math
from io import StringIO

import pandas as pd
import pytest

from scoring.evaluate import score_table
from scoring.rules import load_rules

# Seconds to the target, medians of three studies, and scores by them, of the repository
# mlcommons/submissions_algorithms (analysis/data, 2026); an empty cell was never reached.
TIMES = """
submission,criteo1tb,fastmri,finewebedu_lm,imagenet_vit,librispeech_conformer,librispeech_deepspeech,ogbg,wmt
ademamix,7839.193164110184,1517.7321906089785,18025.89689064026,,48894.85426735878,,6329.966245889664,17399.639942407608
cautious_nadamw,,1608.188658952713,25738.981688261032,,,,4992.686820983887,14232.458706855774
lion,,1394.1750195026398,23172.039316177368,,,,7223.987207174301,15475.552730083466
muon,,1869.765276670456,20594.037749767303,77162.91657114029,,,,
muon_torch,7141.604691028595,,15471.922557115557,,,,1833.473667144776,14214.779582500458
muon_torch_jax_hps,,,,,,,,
muon_torch_jax_hps_achandr,,1357.4687869548798,10338.734079360962,,,,,
muon_torch_jax_hps_lr_fix,,1482.8616108894348,15474.614253282549,,,,1848.2556867599487,
nadamw,7492.6946766376495,1800.7732002735138,25733.847669363025,72015.5787293911,,,,
nadamw_baselinev05,8206.103132247925,1620.5153810977936,20589.912857055664,,,,4089.775626659393,14865.7885992527
nadamw_resnet,,1920.545307636261,23163.02198767662,,,,6349.506216049194,
schedule_free_adamw,10337.671689033508,1188.9131379127502,,,,40463.388149023056,3640.148542404175,19957.71787595749
schedule_free_adamw_jax,,2397.40203499794,12875.283079862596,87468.86081624031,,,5446.973826885223,16161.202248096466
schedule_free_adamw_jax_v2,8204.54053902626,1850.625381946564,15451.99134683609,84891.75501847267,,,5444.019295454025,
schedule_free_adamw_v2,7480.571330547333,1128.837876081467,,,55846.44081497192,41911.17554831505,6325.430662155151,10325.45705485344
single_worker_diloco,,2379.3425666093826,28314.81918931008,,,,,
"""
SCORES = {
    "schedule_free_adamw_v2": 0.5679012345679016,
    "ademamix": 0.5067340067340069,
    "schedule_free_adamw": 0.466891133557801,
    "nadamw_baselinev05": 0.4360269360269367,
    "schedule_free_adamw_jax_v2": 0.42929292929292967,
    "muon_torch": 0.41189674523007774,
    "schedule_free_adamw_jax": 0.40123456790123496,
    "nadamw": 0.36531986531986466,
    "muon_torch_jax_hps_lr_fix": 0.30246913580246876,
    "cautious_nadamw": 0.2951739618406281,
    "muon": 0.269921436588103,
    "lion": 0.2626262626262625,
    "muon_torch_jax_hps_achandr": 0.21492704826038114,
    "nadamw_resnet": 0.17003367003367006,
    "single_worker_diloco": 0.11672278338944997,
    "muon_torch_jax_hps": 0.0,
}


def study_times() -> pd.DataFrame:
    """The published medians as one study each; nobody reached imagenet_resnet."""
    wide = pd.read_csv(StringIO(TIMES)).fillna(math.inf).assign(imagenet_resnet=math.inf)
    table = wide.melt(id_vars="submission", var_name="workload", value_name="time_to_target_s")
    return table.assign(study=1)


def test_the_published_times_give_the_published_scores() -> None:
    board = score_table(study_times(), load_rules("algoperf-v0.6"))
    scores = dict(zip(board.times.submissions, board.scores.tolist(), strict=True))
    assert scores == pytest.approx(SCORES, abs=1e-12, rel=0)


def test_its_targets_of_old_workloads_are_those_of_the_round_before() -> None:
    old, new = load_rules("algoperf-v0.5"), load_rules("algoperf-v0.6")
    assert {name: new.targets[name] for name in old.base} == {
        name: old.targets[name] for name in old.base
    }
    assert set(new.base) - set(old.base) == {"finewebedu_lm"}
    assert not new.held_out
