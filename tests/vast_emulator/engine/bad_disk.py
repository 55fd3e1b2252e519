"""A disk that cannot sync: the kernel itself refuses, for a thread."""

import ctypes
import errno
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import pytest

T = TypeVar("T")

_FSYNC: Final = {"x86_64": 74, "aarch64": 82}.get(platform.machine())
_SET_SECCOMP, _FILTER = 22, 2
_NO_NEW_PRIVILEGES = 38
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06

needs_filters = pytest.mark.skipif(
    sys.platform != "linux" or _FSYNC is None, reason="only Linux can refuse the fsyncs of a thread"
)


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("operand", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.POINTER(_Instruction)))


def without_fsync(work: Callable[[], T]) -> T:
    """Runs `work` on a thread of its own, on which every fsync fails with EIO."""
    with ThreadPoolExecutor(1, initializer=_refuse_fsync) as thread:
        return thread.submit(work).result()


def _refuse_fsync() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    code = (_Instruction * 4)(
        _Instruction(_LOAD, 0, 0, 0),
        _Instruction(_IF_EQUAL, 0, 1, _FSYNC),
        _Instruction(_RETURN, 0, 0, _REFUSE | errno.EIO),
        _Instruction(_RETURN, 0, 0, _ALLOW),
    )
    program = _Program(len(code), code)
    assert libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    assert libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0
