"""For cases that change the code of their own process: a clock that stands, for x86-64."""

import ctypes
import mmap

STOPPED = bytes.fromhex("31c0 488906 48894608 c3")
"""`int clock_gettime(clock, time)` that always says zero:

    xor eax, eax; mov [rsi], rax; mov [rsi + 8], rax; ret
"""
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
LIBC.mmap.argtypes = (*LIBC.mprotect.argtypes, ctypes.c_int, ctypes.c_int, ctypes.c_long)
LIBC.mmap.restype = ctypes.c_void_p
ANY = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC


def address_of(symbol: str) -> int:
    """Where a function of the C library begins."""
    address = ctypes.cast(getattr(LIBC, symbol), ctypes.c_void_p).value
    assert address is not None
    return address


def overwrite(address: int, content: bytes) -> None:
    """Write into pages of one's own that may be read-only; they can be run afterwards."""
    start = address & -mmap.PAGESIZE
    size = address + len(content) - start
    if LIBC.mprotect(start, size, ANY):
        raise OSError(ctypes.get_errno(), "mprotect")
    ctypes.memmove(address, content, len(content))


def place_code(code: bytes) -> int:
    """The address of code in a page of its own, which is there until the process has ended."""
    kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    address = LIBC.mmap(None, mmap.PAGESIZE, ANY, kind, -1, 0)
    ctypes.memmove(address, code, len(code))
    return int(address)
