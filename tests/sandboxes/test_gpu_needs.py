"""What a confined worker on a GPU is granted beyond others, and that it is no more than that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sandboxes.base import Confinement
from harness.sandboxes.kernel.sandbox import layers

ACTIVE = [layer.name for layer in layers() if layer.is_active and layer.name != "cgroup"]
CONFINED = """
import json, os, socket, sys, threading
from multiprocessing import Semaphore
from pathlib import Path
from harness.sandboxes.kernel import limits, namespaces
from harness.sandboxes.kernel.confine import confine
order = json.loads(sys.argv[1])
order["user"] = limits.own_user() if "identity" in order["layers"] else os.getuid()
if os.getuid() != 0:
    namespaces.enter_user_namespace()
namespaces.hold_first_process()
if os.fork():
    os.wait()
    sys.exit()
roots = list(Path("/sys/devices").glob("pci*"))
confine(order)
def named():
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("cuda-EvtHandlr")
acts = [
    named,
    lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).close(),
    lambda: Semaphore(1),
    lambda: Path("/proc/devices").read_text(),
    lambda: [os.listdir(root) for root in roots],
    lambda: socket.socket(socket.AF_INET),
    lambda: Path("/proc/sys/kernel/hostname").write_text("x"),
    lambda: Path("/proc/self/mem").open("r+b"),
    lambda: Path("/etc/hostname").read_text(),
]
found = []
for act in acts:
    try:
        act()
        found.append("done")
    except OSError:
        found.append("refused")
print(json.dumps(found), flush=True)
os._exit(0)
"""
needs_all = pytest.mark.skipif(
    len(ACTIVE) < 7, reason=f"of the layers this machine has {', '.join(ACTIVE)} alone"
)


def try_confined(
    scratch: Path, *, gpu: bool, layers: list[str] = ACTIVE, acts: str = "", gib: int = 4
) -> list[str]:
    """What a worker under some layers finds done or refused, in the order of `acts`."""
    view = scratch / "view"
    view.mkdir(parents=True)
    os.chmod(scratch.parent, 0o755)  # noqa: PTH101
    order = {
        "scratch": str(scratch), "view": str(view), "layers": layers, "gpu": gpu, "cores": [],
        "memory_gib": gib, "file_mib": 64, "scratch_mib": 512, "processes": None, "hidden": [],
        "readable": [],
    }  # fmt: skip
    own, rest = CONFINED.index("acts = ["), CONFINED.index("found = []")
    code = CONFINED if not acts else f"{CONFINED[:own]}acts = [{acts}]\n{CONFINED[rest:]}"
    command = [sys.executable, "-c", code, json.dumps(order)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    result: list[str] = json.loads(process.stdout)
    return result


@needs_all
def test_a_worker_on_a_gpu_may_start_the_driver_and_compile(tmp_path: Path) -> None:
    result = try_confined(tmp_path / "scratch", gpu=True)
    assert result == ["done"] * 5 + ["refused"] * 4


@needs_all
def test_a_worker_on_a_processor_may_not(tmp_path: Path) -> None:
    result = try_confined(tmp_path / "scratch", gpu=False)
    assert result[:3] == ["refused"] * 3
    assert result[5:] == ["refused"] * 4


@pytest.mark.parametrize(("cores", "processes"), [(2, 512), (200, 1600)])
def test_a_worker_on_many_cores_may_have_the_threads_that_compilers_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cores: int, processes: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    confinement = Confinement("jax", 1, 4.0, scratch=tmp_path, log=tmp_path, view=tmp_path)
    assert confinement.processes == processes


@needs_all
def test_without_shared_memory_of_its_own_one_process_compiles(tmp_path: Path) -> None:
    threads = "lambda: {'1': 'one'}[os.environ['TORCHINDUCTOR_COMPILE_THREADS']]"
    without = [name for name in ACTIVE if name != "mounts"]
    assert try_confined(tmp_path / "scratch", gpu=True, layers=without, acts=threads) == ["done"]


@pytest.mark.gpu
@pytest.mark.parametrize("layer", [None, *ACTIVE])
def test_on_a_gpu_the_driver_starts_under_every_layer(tmp_path: Path, layer: str | None) -> None:
    """Layer by layer, so that a failure names the one that keeps CUDA from starting."""
    wanted = [name for name in ACTIVE if name in ("mounts", layer)] if layer else ACTIVE
    one = "lambda: __import__('torch').zeros(1, device='cuda')"
    result = try_confined(tmp_path / "scratch", gpu=True, layers=wanted, acts=one, gib=16)
    assert result == ["done"]


@pytest.mark.gpu
def test_on_a_gpu_torch_compiles_under_all_layers(tmp_path: Path) -> None:
    compiled = (
        "lambda: (torch := __import__('torch')).compile(lambda x: (x.sin() @ x).cos())"
        "(torch.ones(8, 8, device='cuda')).cpu()"
    )
    assert try_confined(tmp_path / "scratch", gpu=True, acts=compiled, gib=16) == ["done"]
