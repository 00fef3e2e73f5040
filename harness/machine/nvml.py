"""A minimal interface to NVIDIA's management library: the GPUs and their states.

The driver installs `libnvidia-ml.so.1`; using it does not open a GPU for computing. GPUs are in the
order of their slots, as in `nvidia-smi`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from harness.core.errors import HarnessError
from harness.machine.gpu import Gpu, GpuState

LIBRARY = "libnvidia-ml.so.1"
_MODES = ("default", "exclusive", "prohibited", "exclusive")
_CELSIUS, _SM_CLOCK = 0, 1
_NOT_SUPPORTED = 3
_TEXT_BYTES = 96
_MOST_PROCESSES = 64

Handle = ctypes.c_void_p
AnswerT = TypeVar("AnswerT")


class NvmlError(Exception):
    """The library returned an error code."""

    def __init__(self, function: str, code: int) -> None:
        super().__init__(f"{function} answered {code}")
        self.code = code


class _Memory(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_ulonglong) for name in ("total", "free", "used"))


class _Rates(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Process(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("memory", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class Nvml:
    """The library, opened; use `open_library`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def driver(self) -> str:
        """The driver's version, such as 580.65.06."""
        return self._text("nvmlSystemGetDriverVersion")

    def cuda(self) -> tuple[int, int]:
        """The newest CUDA version that the driver supports: major and minor."""
        number = self._number("nvmlSystemGetCudaDriverVersion_v2", ctypes.c_int())
        return number // 1000, number % 1000 // 10

    def gpus(self) -> tuple[Gpu, ...]:
        """All GPUs; one that is divided (MIG) is replaced by its parts."""
        count = self._number("nvmlDeviceGetCount_v2", ctypes.c_uint())
        handles = [self._handle("nvmlDeviceGetHandleByIndex_v2", index) for index in range(count)]
        return tuple(gpu for handle in handles for gpu in self._gpus_of(handle))

    def free_bytes(self, uuid: str) -> int:
        """The free memory of a GPU."""
        return int(self._memory(self._of(uuid)).free)

    def processes(self, uuid: str) -> int:
        """The number of processes that compute on a GPU."""
        count, infos = ctypes.c_uint(_MOST_PROCESSES), (_Process * _MOST_PROCESSES)()
        name = "nvmlDeviceGetComputeRunningProcesses_v3"
        self._call(name, self._of(uuid), ctypes.byref(count), infos)
        return count.value

    def state(self, uuid: str) -> GpuState:
        """The current state of a GPU; None for unsupported fields."""
        own = self._of(uuid)
        handle = self._whole(own)
        return GpuState(
            name=self._text("nvmlDeviceGetName", handle),
            temperature_c=self._reading("nvmlDeviceGetTemperature", handle, _CELSIUS),
            clock_mhz=self._reading("nvmlDeviceGetClockInfo", handle, _SM_CLOCK),
            throttle_reasons=_or_none(
                lambda: self._number(
                    "nvmlDeviceGetCurrentClocksThrottleReasons", ctypes.c_ulonglong(), handle
                )
            ),
            use_percent=_or_none(
                lambda: int(self._struct("nvmlDeviceGetUtilizationRates", handle, _Rates()).gpu)
            ),
            power_w=_watts(self._reading("nvmlDeviceGetPowerUsage", handle)),
            memory_mib=_or_none(lambda: self._memory(own).used // 2**20),
        )

    def _gpus_of(self, handle: Handle) -> Iterator[Gpu]:
        parts = list(self._parts(handle))
        power_w = _watts(self._reading("nvmlDeviceGetPowerManagementLimit", handle))
        mode = self._reading("nvmlDeviceGetComputeMode", handle) or 0
        for one in parts or [handle]:
            yield Gpu(
                uuid=self._text("nvmlDeviceGetUUID", one),
                name=self._text("nvmlDeviceGetName", one),
                memory_bytes=int(self._memory(one).total),
                power_limit_w=power_w,
                mode=_MODES[mode] if mode < len(_MODES) else str(mode),
                is_part=bool(parts),
            )

    def _parts(self, handle: Handle) -> Iterator[Handle]:
        """The parts of a divided GPU; empty if it is not divided."""
        current, pending = ctypes.c_uint(), ctypes.c_uint()
        try:
            self._call("nvmlDeviceGetMigMode", handle, ctypes.byref(current), ctypes.byref(pending))
        except NvmlError:
            return
        if not current.value:
            return
        most = self._number("nvmlDeviceGetMaxMigDeviceCount", ctypes.c_uint(), handle)
        for index in range(most):
            part = Handle()
            try:
                name = "nvmlDeviceGetMigDeviceHandleByIndex"
                self._call(name, handle, ctypes.c_uint(index), ctypes.byref(part))
            except NvmlError:
                continue  # no part has this number
            yield part

    def _of(self, uuid: str) -> Handle:
        return self._handle("nvmlDeviceGetHandleByUUID", uuid)

    def _whole(self, handle: Handle) -> Handle:
        """The GPU that a part belongs to, which has the temperature, clocks and power."""
        whole = Handle()
        try:
            name = "nvmlDeviceGetDeviceHandleFromMigDeviceHandle"
            self._call(name, handle, ctypes.byref(whole))
        except NvmlError:
            return handle
        return whole

    def _handle(self, function: str, which: int | str) -> Handle:
        handle = Handle()
        number = which.encode() if isinstance(which, str) else ctypes.c_uint(which)
        self._call(function, number, ctypes.byref(handle))
        return handle

    def _text(self, function: str, *arguments: object) -> str:
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        self._call(function, *arguments, text, ctypes.c_uint(_TEXT_BYTES))
        return text.value.decode("utf-8", errors="replace")

    def _number(self, function: str, place: ctypes._SimpleCData[int], *arguments: object) -> int:
        self._call(function, *arguments, ctypes.byref(place))
        return place.value

    def _reading(self, function: str, handle: Handle, kind: int | None = None) -> int | None:
        kinds = () if kind is None else (ctypes.c_int(kind),)
        return _or_none(lambda: self._number(function, ctypes.c_uint(), handle, *kinds))

    def _memory(self, handle: Handle) -> _Memory:
        return self._struct("nvmlDeviceGetMemoryInfo", handle, _Memory())

    def _struct(self, function: str, handle: Handle, place: AnswerT) -> AnswerT:
        self._call(function, handle, ctypes.byref(place))  # type: ignore[arg-type]
        return place

    def _call(self, function: str, *arguments: object) -> None:
        call = getattr(self._library, function, None)
        code = _NOT_SUPPORTED if call is None else call(*arguments)
        if code != 0:
            raise NvmlError(function, code)


@contextmanager
def open_library() -> Iterator[Nvml]:
    """The library, until the block is left.

    Raises:
        HarnessError: there is no driver, or it does not answer.
    """
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise HarnessError(
            f"no NVIDIA driver: {LIBRARY} is not found",
            "install it, or in a container run with --gpus all; without a GPU: --device cpu",
        ) from error
    if code := library.nvmlInit_v2():
        raise HarnessError(
            f"the NVIDIA driver does not answer: nvmlInit_v2 returned {code}",
            "see what nvidia-smi says; after an update of the driver the machine must be restarted",
        )
    try:
        yield Nvml(library)
    finally:
        library.nvmlShutdown()


def _or_none(read: Callable[[], int]) -> int | None:
    try:
        return read()
    except NvmlError:
        return None


def _watts(milliwatts: int | None) -> int | None:
    return None if milliwatts is None else round(milliwatts / 1000)
