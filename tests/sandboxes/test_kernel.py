"""The sandbox `kernel`: which layers there are, and what each record then says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sandboxes.kernel import sandbox as kernel
from harness.sandboxes.kernel.confine import LAYERS
from harness.sandboxes.kernel.sandbox import ENFORCED_BY, KernelSandbox, Layer, layers
from harness.sandboxes.load import sandbox

ROOT = Path(kernel.__file__).parents[3]


def offer(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    result = tuple(Layer(name, name in names, "" if name in names else "no") for name in LAYERS)
    monkeypatch.setattr(kernel, "layers", lambda: result)


def test_every_layer_is_tried_and_says_why_it_is_missing() -> None:
    assert [layer.name for layer in layers()] == list(LAYERS)
    assert all(layer.is_active == (layer.why == "") for layer in layers())


def test_with_every_layer_nothing_is_unenforced(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, *LAYERS)
    assert sandbox("kernel").list_unenforced_protections() == ()


def test_with_no_layer_nothing_is_enforced(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    assert KernelSandbox().list_unenforced_protections() == tuple(ENFORCED_BY)


def test_what_one_layer_lacks_another_may_still_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, *(name for name in LAYERS if name != "network"))
    assert "network access" not in KernelSandbox().list_unenforced_protections()
    offer(monkeypatch, *(name for name in LAYERS if name != "landlock"))
    assert KernelSandbox().list_unenforced_protections() == ("reading files outside the trial",)


def test_an_ordinary_user_gets_the_layers_that_need_no_rights() -> None:
    command = [sys.executable, "-m", "harness.sandboxes.kernel.probe"]
    nobody = 65534 if os.getuid() == 0 else None
    try:
        process = subprocess.run(
            command, check=True, capture_output=True, cwd=ROOT, user=nobody, group=nobody
        )
    except PermissionError:
        pytest.skip(f"only root may run {sys.executable}; an ordinary user's run of this test can")
    result = json.loads(process.stdout)
    assert (result["identity"], result["seccomp"]) == ("", "")
    assert result["cgroup"] or nobody is None, "groups were made without rights"
