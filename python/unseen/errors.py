"""What calls raise: the library's sentence, by its status. All are `Error`."""
from __future__ import annotations


class Error(Exception):
    """A call of the library failed; the text is its sentence."""


class ArgumentError(Error, ValueError):
    """Something impossible was asked for."""


class FormatError(Error, ValueError):
    """A file is damaged or not what it should be."""


class FileError(Error, OSError):
    """The operating system refused: no such file, disk full."""


class OutOfMemoryError(Error, MemoryError):
    """There is not enough memory."""


class UnsupportedError(Error, NotImplementedError):
    """Valid, but not something this build can do."""


class Interrupted(Error):
    """Stopped by the progress function; state was saved where the call says so."""


#: By unseen_status of unseen.h.
BY_STATUS: dict[int, type[Error]] = {
    1: ArgumentError,
    2: FormatError,
    3: FileError,
    4: OutOfMemoryError,
    5: UnsupportedError,
    6: Interrupted,
}
