"""The machine around a trial: readings, what they say together, the factor, the doctor."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.execution.base import RunOptions
from harness.frameworks.torch.device import TorchDevice
from harness.machine.cores import Cores
from harness.machine.gpu import GpuLoad, GpuState
from harness.machine.gpu_watch import GpuWatch
from harness.machine.host_monitor import MachineReader, processor_times, reading
from harness.machine.readings import MachineReading, between, contention, interference
from harness.providers.registry import suite
from harness.referee.monitor import HostMonitor
from harness.sandboxes.base import Use
from harness.speed.report import diagnose
from tests.machine.conftest import SetDriver

BEFORE = MachineReading(
    speed_probe_s=0.02,
    speed_probe_version=1,
    cores=None,
    load_average=0.5,
    at_s=0.0,
    processors=2.0,
    busy_s=100.0,
    stolen_s=5.0,
    throttled=3,
)


def before(**changes: object) -> MachineReading:
    return BEFORE.model_copy(update=changes)


def after(**changes: object) -> MachineReading:
    return before(**{"at_s": 10.0, "busy_s": 110.0} | changes)


def test_a_reading_sees_work_of_this_process() -> None:
    first = processor_times().busy_s
    end_s = time.process_time() + 0.1
    while time.process_time() < end_s:
        pass
    assert processor_times().busy_s >= first + 0.08
    assert 0.0 < reading("cpu", 1).speed_probe_s < 60.0


def test_what_others_take_is_what_the_trial_does_not() -> None:
    assert between(BEFORE, after(), 4.0, 0.0).others_fraction == pytest.approx(0.3)
    assert between(BEFORE, after(), 40.0, 0.0).others_fraction == 0.0


def test_much_that_others_took_of_a_workers_processors_flags_its_trial() -> None:
    cores = Cores(worker=(0, 1), referee=(0, 1))
    pinned = before(cores=cores, worker_busy_s=100.0)
    change = between(pinned, after(cores=cores, worker_busy_s=118.0), 8.0, 2.0)
    assert contention(change, 0.25) == "other programs took 40 % of its processors"
    assert contention(change, 0.5) == ""
    assert contention(between(BEFORE, after(busy_s=120.0), 0.0, 0.0), 0.25) == ""


def test_what_others_do_on_other_processors_takes_nothing_from_a_trial() -> None:
    cores = Cores(worker=(0,), referee=(1,))
    pinned = before(cores=cores, worker_busy_s=50.0)
    change = between(pinned, after(cores=cores, worker_busy_s=60.0, busy_s=120.0), 9.9, 5.0)
    assert change.taken_fraction == 0.0
    assert change.others_fraction == pytest.approx(0.25, abs=0.01)


def test_what_a_worker_used_before_its_trial_hides_no_other_program() -> None:
    readings = iter((BEFORE, after(busy_s=120.0)))
    monitor = HostMonitor(lambda: next(readings))
    monitor.begin(Use(memory_bytes=0, cpu_s=30.0))
    monitor.note(Use(memory_bytes=0, cpu_s=34.0))
    change = monitor.changes()
    assert change is not None
    assert change.others_fraction == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"speed_probe_s": 0.024}, []),
        ({"speed_probe_s": 0.026}, ["changed by +30 %"]),
        ({"speed_probe_s": 0.014}, ["changed by -30 %"]),
        ({"stolen_s": 11.0}, ["took 30 % of the time"]),
        ({"busy_s": 120.0, "throttled": 9}, []),
    ],
)
def test_only_what_no_submission_causes_is_flagged(
    changes: dict[str, object], words: list[str]
) -> None:
    causes = interference(between(BEFORE, after(**changes), 4.0, 0.0), 0.25)
    assert [any(word in text for text in causes) for word in words] == [True] * len(causes)


def gpu(reasons: int | None) -> dict[str, object]:
    state = GpuState(
        name="made",
        temperature_c=None,
        clock_mhz=None,
        throttle_reasons=reasons,
        use_percent=None,
    )
    return {"accelerator": state}


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (gpu(0x1), gpu(0x2), []),
        (gpu(0x4), gpu(None), []),
        (gpu(0x1), gpu(0x61), ["slowed the GPU (reasons 0x60)"]),
        (gpu(0x8), gpu(0x1), ["slowed the GPU (reasons 0x8)"]),
        (gpu(0x1), gpu(0x1) | {"throttled": 5}, ["throttled 2 times"]),
        ({"accelerator": None}, {"accelerator": None, "throttled": 5}, []),
    ],
)
def test_a_gpu_slowed_by_heat_or_hardware_is_flagged(
    first: dict[str, object], second: dict[str, object], words: list[str]
) -> None:
    causes = interference(between(before(**first), after(**second), 4.0, 0.0), 0.25)
    assert [any(word in text for text in causes) for word in words] == [True] * len(causes)


def load(slowing: int) -> dict[str, object]:
    gpu_load = GpuLoad(
        samples=9,
        slowing=slowing,
        capped_fraction=1.0,
        clock_mhz=1500,
        use_percent=99,
        power_w=700,
        temperature_c=88,
    )
    return gpu(0x1) | {"gpu_load": gpu_load}


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (load(0x0), []),
        (load(0x40), ["slowed the GPU (reasons 0x40)"]),
        (load(0x0) | {"gpu_probe_s": 0.024}, []),
        (load(0x0) | {"gpu_probe_s": 0.030}, ["the GPU's probe changed by +50 %"]),
    ],
)
def test_a_gpu_slowed_under_load_is_flagged(second: dict[str, object], words: list[str]) -> None:
    first = gpu(0x1) | {"gpu_probe_s": 0.020}
    causes = interference(between(before(**first), after(**second), 4.0, 0.0), 0.25)
    assert [any(word in text for text in causes) for word in words] == [True] * len(causes)


def test_a_gpu_is_watched_between_the_two_readings(driver: SetDriver) -> None:
    driver(reasons=0x4, power=699_000)
    probes = list[int]()
    reader = MachineReader("cuda:0", 1, None, lambda: probes.append(1))
    first = reader()
    time.sleep(1.2)
    second = reader()
    assert first.gpu_load is None
    assert first.gpu_probe_s is not None
    assert second.gpu_load is not None
    assert second.gpu_load.samples >= 1
    assert (second.gpu_load.capped_fraction, second.gpu_load.power_w) == (1.0, 699)
    assert second.gpu_load.memory_mib == 1024
    assert len(probes) == 22


@pytest.mark.gpu
def test_on_a_gpu_its_load_is_seen_while_it_computes() -> None:
    device = TorchDevice("cuda", 1)
    device.pin()
    watch, end_s = GpuWatch("cuda:0", every_s=0.1), time.monotonic() + 3.0
    while time.monotonic() < end_s:
        device.probe()
    load = watch.stop()
    assert load is not None
    assert load.samples >= 10
    assert (load.use_percent or 0) > 50
    assert (load.power_w or 0) > 0
    assert (load.memory_mib or 0) > 100


def test_a_gpu_slowed_by_heat_is_throttled_and_one_at_rest_is_not(driver: SetDriver) -> None:
    for reasons, is_throttled in ((0x1, False), (0x40, True)):
        driver(reasons=reasons)
        state = reading("cuda:0", 1).accelerator
        assert state is not None
        assert state.is_throttled == is_throttled


@pytest.mark.parametrize("name", ["quick", "standard"])
def test_the_doctor_needs_one_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["doctor", "--suite", name])
    lines = result.output.splitlines()
    assert result.exit_code == 0, result.output
    assert (len(lines) <= 24, max(map(len, lines)) <= 80) == (True, True)
    assert any(line.startswith("cores") for line in lines)


def test_the_doctor_says_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    many = suite("quick").hardware.model_copy(update={"cores": 4096})
    options = RunOptions(threads=1)
    diagnosis = diagnose(suite("quick").model_copy(update={"hardware": many}), "cpu", options)
    assert any("not 4096" in what for what in diagnosis.differences)
    assert {"suite", "machine", "differs", "isolation", "time"} <= {
        name for name, _ in diagnosis.rows
    }


def test_the_doctor_says_why_no_trial_could_run_on_a_gpu(
    driver: SetDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    driver(mode=3)
    monkeypatch.setattr("torch.version.cuda", "13.0")
    rows = dict(diagnose(suite("standard"), "cuda:0", RunOptions(threads=1)).rows)
    assert "compute mode of NVIDIA H100 80GB HBM3 is exclusive" in rows["lacks"]
    assert "--compute-mode DEFAULT" in rows["lacks"]
    assert "H100" in rows["machine"]
