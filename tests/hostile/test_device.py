"""On a device that finishes late no work leaks out of the timed part: in each framework."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.execution.base import RunOptions
from harness.execution.trial import run_trial
from harness.frameworks.jax.device import JaxDevice
from harness.frameworks.torch.device import TorchDevice
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Result
from harness.record.schema import ToldEvent
from harness.referee.idle import ALLOWED_S, IdleProbe
from harness.submission.reference import Framework
from tests.kit import space

from .arena import CASES, GRID
from .device import Device

BACKENDS: dict[str, type[TorchDevice | JaxDevice]] = {"torch": TorchDevice, "jax": JaxDevice}


class Watch:
    """Looks at the device at GO and at every snapshot, while the worker is frozen."""

    def __init__(self, device: Device) -> None:
        self.device, self.before_s, self.idle = device, 0.0, list[bool]()

    def event(self, event: ToldEvent) -> None:
        if event.kind == "go":
            self.before_s = self.device.worked_s
        if event.kind in ("go", "snapshot"):
            self.idle.append(self.device.is_idle)


class Late:
    """Runs a submission that computes on the late device."""

    def __init__(self, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.cache, self.patch = folder, cache, monkeypatch
        self.watch = Watch(Device(str(folder / "device")))

    def run(self, framework: Framework, *, is_honest: bool) -> Result:
        """The trial; the referee's probe of the device is queued as all work is."""
        owner, device = BACKENDS[framework], self.watch.device
        self.patch.setitem(ALLOWED_S, "cpu", ALLOWED_S["cuda"])  # for which the device stands
        self.patch.setattr(owner, "probe", lambda backend: device.probe())
        place = self.folder / "submission"
        place.mkdir()
        module = "submission.py" if framework == "torch" else "submission_jax.py"
        shutil.copy(CASES / "leave_queued.py", place / module)
        shutil.copy(Path(__file__).with_name("device.py"), place / "device.py")
        (place / "space.toml").write_text(space(framework))
        facts = {"BACKEND": (owner.__module__, owner.__name__), "IS_HONEST": is_honest}
        facts["DEVICE"] = str(self.folder / "device")
        (place / "facts.py").write_text("".join(f"{k} = {v!r}\n" for k, v in facts.items()))
        request = PlanRequest("mlp", str(place), ruleset="self", framework=framework)
        (trial,) = plan(request).trials
        budget = trial.budget.model_copy(update={"runtime_s": 1.6, "scale": 0.5})
        target = trial.target.model_copy(update={"value": 2.0})
        changes = {"budget": budget, "grid": GRID, "target": target, "probes": False}
        options = RunOptions(cache_dir=self.cache, threads=1)
        store = self.folder / "store"
        return run_trial(trial.model_copy(update=changes), store, options, self.watch)

    @property
    def worked_s(self) -> float:
        """Seconds of work since GO."""
        return self.watch.device.worked_s - self.watch.before_s


@pytest.fixture
def late(tmp_path: Path, data_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Late:
    return Late(tmp_path, data_cache, monkeypatch)


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_all_work_of_an_honest_worker_is_on_the_clock(late: Late, framework: Framework) -> None:
    result = late.run(framework, is_honest=True)
    assert result.state == "budget", result.reason
    assert all(late.watch.idle)
    assert late.worked_s > 1.0
    assert late.worked_s <= result.timed_s + 0.01


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_work_left_queued_makes_the_trial_invalid(late: Late, framework: Framework) -> None:
    result = late.run(framework, is_honest=False)
    assert result.state == "invalid"
    assert "while the worker was frozen" in result.reason


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_without_the_probe_the_work_leaks_out(late: Late, framework: Framework) -> None:
    late.patch.setattr(IdleProbe, "busy_s", lambda probe: 0.0)
    result = late.run(framework, is_honest=False)
    assert result.state == "budget", result.reason
    assert not all(late.watch.idle)
