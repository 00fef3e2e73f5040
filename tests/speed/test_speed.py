"""A machine's speed: what it makes of a budget, when it is measured, when it is remembered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import MachineSpeed
from harness.providers.registry import workload
from harness.record.plan import write_plan
from harness.runs.run import plan_here
from harness.speed import factor as speed
from harness.speed.factor import (
    conditions,
    machine_speed,
    measured_speed,
    planned_speeds,
    speeds_of,
)
from harness.speed.reference_training import Measurement
from workloads.spec import ReferenceSpeed

REQUEST = PlanRequest("mlp", "adamw")
OPTIONS = RunOptions(threads=1)
BUDGET = workload("mlp").at("quick").budget
REFERENCE = BUDGET.reference or ReferenceSpeed(step_s=1.0, startup_s=0.0)


def at(times: float, startup_s: float = REFERENCE.startup_s, spread: float = 0.0) -> MachineSpeed:
    """A machine on which a step takes so many times the reference's."""
    return MachineSpeed(
        step_s=times * REFERENCE.step_s,
        startup_s=startup_s,
        reference=REFERENCE,
        spread=spread,
        conditions="",
    )


def measurement(times: float, spread: float = 0.01, others: float = 0.0) -> Measurement:
    return Measurement(times * REFERENCE.step_s, REFERENCE.startup_s, spread, others)


class Machine:
    """A machine that trains at set speeds, one a measurement, beside programs that take a set part.

    The measurement itself is tested on real trainings, in `test_reference_training`.
    """

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.measurements = [measurement(2.0)]
        self.busy, self.measured, self.messages = 0.0, 0, list[str]()
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setattr(speed, "measure", lambda *_: self._measure())
        patch.setattr(speed, "busy_fractions", lambda _: (self.busy, 0.0))
        self.store = folder / "store"

    def _measure(self) -> Measurement:
        self.measured += 1
        return self.measurements[min(self.measured, len(self.measurements)) - 1]

    def speed(self, request: PlanRequest = REQUEST, options: RunOptions = OPTIONS) -> MachineSpeed:
        result = machine_speed(request, options, planned_speeds(self.store), self.messages.append)
        assert result is not None
        return result


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


@given(st.floats(0.05, 20.0), st.floats(0.0, 5.0))
def test_a_budget_has_the_references_steps_on_any_machine(times: float, startup_s: float) -> None:
    here = at(times, startup_s)
    steps = (here.budget_s(BUDGET.runtime_s) - startup_s) / here.step_s
    there = (BUDGET.runtime_s - REFERENCE.startup_s) / REFERENCE.step_s
    tolerance = 0.05 * BUDGET.runtime_s / here.step_s + 1e-3 * there
    assert steps == pytest.approx(there, abs=tolerance)


@pytest.mark.parametrize(("times", "is_same"), [(0.96, True), (1.04, True), (1.1, False)])
def test_within_five_per_cent_of_the_reference_the_budget_is_the_references(
    times: float, is_same: bool
) -> None:
    assert (at(times).budget_s(BUDGET.runtime_s) == BUDGET.runtime_s) is is_same


def test_the_speed_scales_every_budget_and_the_trials_still_count() -> None:
    here = at(3.0)
    for trial in plan(replace(REQUEST, speed=here)).trials:
        assert trial.budget.runtime_s == here.budget_s(BUDGET.runtime_s)
        assert trial.is_scored


def test_a_speed_is_measured_once_and_remembered(machine: Machine) -> None:
    assert machine.speed() == machine.speed()
    assert machine.speed().step_s == pytest.approx(2.0 * REFERENCE.step_s, rel=1e-3)
    assert machine.measured == 1


@pytest.mark.parametrize("change", ["threads", "framework", "variables", "workload", "devices"])
def test_it_is_measured_anew_when_what_it_depends_on_changes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    machine.speed()
    request, options = REQUEST, OPTIONS
    if change == "threads":
        options = replace(OPTIONS, threads=2)
    elif change == "framework":
        request = replace(REQUEST, framework="jax")
    elif change == "devices":
        request = replace(REQUEST, devices=2)
    elif change == "workload":
        request = replace(REQUEST, workload="rnn")
        machine.measurements = [Measurement(0.01, 0.1, 0.01, 0.0)]
    else:
        monkeypatch.setattr(speed, "kernel_variables", lambda: {"OPENBLAS_CORETYPE": "Haswell"})
    machine.speed(request, options)
    assert machine.measured == 2


def test_beside_other_programs_it_is_measured_for_this_run_alone(machine: Machine) -> None:
    idle = machine.speed()
    machine.busy, machine.measurements = 0.5, [measurement(4.0, spread=0.3, others=0.5)]
    assert machine.speed().step_s == pytest.approx(2.0 * idle.step_s, rel=1e-3)
    assert machine.measured == 2
    assert "this run alone" in machine.messages[-1]
    machine.busy = 0.0
    assert machine.speed() == idle


def test_trials_of_a_store_share_one_speed(machine: Machine) -> None:
    first = machine.speed()
    write_plan(plan(replace(REQUEST, speed=first)).trials, machine.store)
    machine.busy, machine.measurements = 0.5, [measurement(9.0, spread=0.3, others=0.5)]
    assert machine.speed() == first


def test_plans_that_will_share_a_board_share_one_speed(machine: Machine) -> None:
    """Nothing is in the store yet, and the machine is too busy to remember what was measured."""
    machine.busy = 0.5
    machine.measurements = [measurement(t, spread=0.3, others=0.5) for t in (2.0, 9.0)]
    mine = plan_here(REQUEST, OPTIONS, machine.store, machine.messages.append)
    rival = replace(REQUEST, submission="sgd")
    speeds = speeds_of(mine)
    theirs = plan_here(rival, OPTIONS, machine.store, machine.messages.append, speeds)
    assert speeds_of(theirs) == speeds
    assert machine.measured == 1


def test_an_unscored_budget_is_scaled_by_its_flag_alone(machine: Machine) -> None:
    request = replace(REQUEST, budget_scale=0.5)
    assert (
        machine_speed(request, OPTIONS, planned_speeds(machine.store), machine.messages.append)
        is None
    )
    assert machine.measured == 0


def test_a_speed_beyond_twenty_times_the_references_is_refused(machine: Machine) -> None:
    machine.measurements = [measurement(21.0)]
    with pytest.raises(HarnessError, match=r"21 times as long(.|\n)*doctor --measure"):
        measured_speed(REQUEST, OPTIONS, machine.messages.append)


def test_the_conditions_name_what_steers_kernels() -> None:
    facts = conditions(REQUEST, OPTIONS)
    assert {"threads", "packages", "variables", "quota", "hardware"} <= facts.keys()
