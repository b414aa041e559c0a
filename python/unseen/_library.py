"""The shared library: where it is found, its calls with their failures as exceptions, its objects,
arrays, options and progress. Calls give the interpreter free for other threads (cffi does)."""
from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import weakref
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from . import errors
from ._arguments import Path, encode, flag, listed, mapping, real, whole
from ._interface import LIBRARY, VERSION, ffi

Setting = Union[str, int, float, bool, Sequence[Any]]
#: Called with phase, done, total, unit and seconds; a true answer stops the call.
ProgressFunction = Callable[["Progress"], Any]


def _open() -> Any:
    """UNSEEN_LIBRARY, else where it was when this package was made: a path from here, or a name
    that the system finds."""
    path = os.environ.get("UNSEEN_LIBRARY") or LIBRARY
    if path == LIBRARY and "/" in path:
        path = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), path))
    try:
        library = ffi.dlopen(path)
    except OSError as error:
        raise ImportError(
            f"unseen needs its library: {error}; install it, or say with the environment "
            "variable UNSEEN_LIBRARY where it is") from None
    found = ffi.string(library.unseen_version()).decode()
    if found.split(".")[:2] != VERSION.split(".")[:2]:
        raise ImportError(f"the package unseen is of version {VERSION}, {path} of {found}")
    return library


lib = _open()

# ---- messages: to the logger "unseen" ----

_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
_logger = logging.getLogger("unseen")


def _log(level: int, message: Any, _user: Any) -> None:
    if _logger.isEnabledFor(_LEVELS[level]):
        _logger.log(_LEVELS[level], "%s", text(message))


class _Pending(threading.local):
    """What was raised while a message was told, Ctrl-C perhaps: C does not pass it on."""

    raised: Optional[BaseException] = None


_pending = _Pending()


def _log_failed(kind: Any, raised: BaseException, trace: Any) -> None:
    if sys._getframe().f_back is None:
        # A thread of the library's own: no call of Python's is below.
        threading.excepthook(threading.ExceptHookArgs(
            (kind, raised, trace, None)))
    else:
        _pending.raised = raised


def _raise_pending() -> None:
    raised, _pending.raised = _pending.raised, None
    if raised is not None:
        raise raised


_log_callback = ffi.callback("unseen_log_function", _log, None, _log_failed)
lib.unseen_set_log(_log_callback, ffi.NULL)


@atexit.register
def _end_log() -> None:
    lib.unseen_set_log(ffi.NULL, ffi.NULL)


# ---- failures ----

def failure(status: int, sentence: Optional[str] = None,
            path: Optional[Path] = None) -> errors.Error:
    """The exception for a status; of the thread's last call unless there is a sentence. `path`: the
    file that the call was about."""
    code = lib.unseen_last_errno() if sentence is None else 0
    if sentence is None:
        sentence = text(lib.unseen_last_error())
    kind = errors.BY_STATUS.get(status, errors.Error)
    if kind is errors.FileError:
        return errors.file_error(sentence, int(code) or None,
                                 None if path is None else os.fspath(path))
    return kind(sentence)


def check(status: int, path: Optional[Path] = None) -> None:
    """Raises what a call failed with, or what was raised in it."""
    if _pending.raised is not None:
        _raise_pending()
    if status:
        raise failure(status, path=path)


# ---- texts ----

def text(pointer: Any) -> str:
    """A C string, "" for NULL."""
    return str(ffi.string(pointer), "utf-8", "surrogateescape") if pointer else ""


def name_or_none(pointer: Any) -> Optional[str]:
    return text(pointer) if pointer else None


def strings(values: Iterable[Path], keep: list[Any]) -> Any:
    """A C array of strings; `keep` holds it."""
    items = [ffi.new("char[]", encode(value)) for value in values]
    array = ffi.new("const char *[]", items)
    keep += [items, array]
    return array


#: What a field is called in Python where it is called otherwise.
_CALLED = {"all": "all_images", "grid_height": "grid", "grid_width": "grid"}


def _as_field(kind: Any, what: str, value: Any, keep: list[Any]) -> Any:
    """A value as a field of this type of C takes it: size_t and its like are counts, int yes or
    no."""
    if kind.kind == "pointer" and kind.item.cname == "char":
        keep.append(ffi.new("char[]", encode(value)))
        return keep[-1]
    if kind.kind != "primitive":  # callbacks, and enumerations that `member` made
        return value
    if kind.cname in ("double", "float"):
        return real(value, what)
    if kind.cname == "int":
        return flag(value, what)
    return whole(value, what, 0, (1 << 8 * ffi.sizeof(kind) - (int(ffi.cast(kind, -1)) < 0)) - 1)


def options(kind: str, keep: list[Any], **values: Any) -> Any:
    """The structure unseen_KIND with the library's defaults, but for values that are not None.
    `keep` holds what it points to."""
    structure = ffi.new(f"unseen_{kind} *")
    fields = dict(ffi.typeof(structure).item.fields)
    getattr(lib, f"unseen_{kind}_init")(structure, ffi.sizeof(structure[0]))
    for name, value in values.items():
        if value is not None:
            setattr(structure, name,
                    _as_field(fields[name].type, _CALLED.get(name, name), value, keep))
    return structure


def setting_text(value: Setting) -> str:
    """A setting as `--set KEY=VALUE` takes it."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (np.ndarray, np.generic)):
        return setting_text(value.tolist())
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, str) or not isinstance(value, Sequence):
        return str(value)
    return ",".join(setting_text(item) for item in value)


def settings_list(settings: Optional[Mapping[str, Setting]]) -> list[str]:
    if settings is None:
        return []
    return [f"{key}={setting_text(value)}" for key, value in mapping(settings, "settings").items()]


def member(prefix: str, name: str, known: Sequence[str]) -> int:
    """The value of an enumeration by its name in lower case."""
    if name not in known:
        raise errors.ArgumentError(f"{name!r} is none of {', '.join(known)}")
    return int(getattr(lib, f"UNSEEN_{prefix}_{name.upper()}"))


# ---- objects ----
#
# Locks are taken and released by `with` on the lock itself, which is C: between the steps of Python
# code that did it, Ctrl-C would leave a lock held for good.

class _Lost:
    """The lock of what another thread was using when this process was forked: that thread is not
    here, and what it left half done is of no use."""

    def __enter__(self) -> None:
        raise RuntimeError("the object was being used when this process was forked")

    def __exit__(self, *_: Any) -> None:
        pass

    def _is_owned(self) -> bool:
        return False

    def locked(self) -> bool:
        """For a reader, who then waits for the change."""
        return True


_handles: weakref.WeakSet[Any] = weakref.WeakSet()


def _in_child() -> None:
    for handle in list(_handles):
        handle.forget_other_threads()


os.register_at_fork(after_in_child=_in_child)


class Handle:
    """An object of the library. One thread at a time uses it, others wait. Released when nothing
    refers to it any more, views of its arrays included."""

    def __init__(self, pointer: Any, release: Any):
        self.pointer = ffi.gc(pointer, release)
        #: `with handle.lock:` for what a callback may ask while its own thread uses the object.
        self.lock: Any = threading.RLock()
        _handles.add(self)

    def forget_other_threads(self) -> None:
        """In a child after a fork."""
        if not self.lock.acquire(blocking=False):
            self.lock = _Lost()
            return
        self.lock.release()

    @property
    def alone(self) -> Any:
        """`with handle.alone:` for all else."""
        if _is_mine(self.lock):
            raise RuntimeError("the object is being used by the call that is asking")
        return self.lock


class SharedHandle:
    """A data set. Any number of threads read it, one at a time changes it."""

    def __init__(self, pointer: Any, release: Any):
        self.pointer = ffi.gc(pointer, release)
        self.arrays: tuple[Any, ...] = ()  # what is borrowed
        self._changing: Any = threading.Lock()
        self._users: dict[int, Any] = {}  # a thread's lock is held while it reads or changes
        _handles.add(self)

    def forget_other_threads(self) -> None:
        """In a child after a fork, where readers are no more and their locks would stay held."""
        mine = self._users.get(threading.get_ident())
        if self._changing.locked() and not (mine and _is_mine(mine)):
            self._changing = _Lost()
        self._users = {threading.get_ident(): mine} if mine else {}

    def _mine(self) -> Any:
        me = threading.get_ident()
        return self._users.get(me) or self._users.setdefault(me, threading.RLock())

    def read(self, function: Callable[[Any], Any]) -> Any:
        """function(pointer), beside other readers. A callback may read while its own thread reads
        or changes the data set."""
        mine = self._mine()
        nested = _is_mine(mine)
        while True:
            with mine:
                if nested or not self._changing.locked():
                    return function(self.pointer)
            with self._changing:  # until it is changed
                pass

    def change(self, function: Callable[[Any], Any]) -> Any:
        """function(pointer), alone; not in a callback of a call that uses the data set."""
        mine = self._mine()
        if _is_mine(mine):
            raise RuntimeError("the data set is being used by the call that is asking")
        with self._changing:  # no reader begins from here on
            for other in list(self._users.values()):
                with other:  # until its thread has read
                    pass
            with mine:
                return function(self.pointer)


def _is_mine(lock: Any) -> bool:
    """Whether this thread holds an RLock; threading.Condition asks it the same."""
    return bool(lock._is_owned())


# ---- arrays ----

class _Memory:
    """Memory of an object, for NumPy; it keeps the object."""

    def __init__(self, owner: Any, address: int, shape: tuple[int, ...], kind: str):
        self.owner = owner
        self.__array_interface__ = {
            "data": (address, True), "shape": shape, "typestr": kind, "version": 3}


def view(owner: Any, pointer: Any, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """A read-only array on memory that belongs to `owner`, which lives as long as it does."""
    kind = np.dtype(dtype)
    if 0 in shape or not pointer:
        return np.zeros(shape, kind)
    address = int(ffi.cast("uintptr_t", pointer))
    return np.asarray(_Memory(owner, address, shape, kind.str))


# ---- progress, and Ctrl-C ----

class Progress:
    """How far a call came: `phase` ("train dem, fold 1"), `unit` ("steps"), `done` of `total`,
    `seconds` since the phase began, `finished`: the last report of the phase."""

    __slots__ = ("phase", "unit", "done", "total", "seconds", "finished")

    def __init__(self, given: Any):
        self.phase = text(given.phase)
        self.unit = text(given.unit)
        self.done = int(given.done)
        self.total = int(given.total)
        self.seconds = float(given.seconds)
        self.finished = bool(given.finished)

    def __repr__(self) -> str:
        return f"<{self.phase}: {self.done} of {self.total} {self.unit}>"


class Watch:
    """Progress of one call. The library asks ten times a second; an exception there, which Ctrl-C
    raises, stops the call and is raised again when it has stopped."""

    def __init__(self, progress: Union[None, bool, ProgressFunction]):
        self._bars: Any = None  # to be closed, unlike what the caller brought
        if isinstance(progress, (bool, np.bool_)):
            from .progress import Bars
            progress = self._bars = Bars() if progress else None
        if progress is not None and not callable(progress):
            raise errors.ArgumentError("progress is True for a bar, or a function, not "
                                       f"{type(progress).__name__}")
        self._function = progress
        self._raised: Optional[BaseException] = None
        self._telling = False
        self.callback = ffi.callback("unseen_progress_function", self._report, 1,
                                     self._failed)

    def _report(self, given: Any, _user: Any) -> int:
        _raise_pending()
        if self._function is None or self._telling:
            return 0
        self._telling = True  # what the function asks of the library reports, too
        try:
            return 1 if self._function(Progress(given)) else 0
        finally:
            self._telling = False

    def _failed(self, _kind: Any, raised: BaseException, _trace: Any) -> None:
        self._raised = raised

    def check(self, status: int, path: Optional[Path] = None) -> None:
        """What became of the call."""
        if self._bars is not None:
            self._bars.close()
        if self._raised is not None:
            _pending.raised = None
            raise self._raised from (failure(status, path=path) if status else None)
        check(status, path)
