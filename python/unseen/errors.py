"""What calls raise: the library's sentence, by its status. All are `Error`."""
from __future__ import annotations

import os
from typing import Any, Optional


class Error(Exception):
    """A call of the library failed; the text is its sentence."""


class ArgumentError(Error, ValueError):
    """Something impossible was asked for."""


class FormatError(Error, ValueError):
    """A file is damaged or not what it should be."""


class FileError(Error, OSError):
    """The operating system refused: no such file, disk full. `errno` where it is known, `filename`
    where the call was about one file or directory; else None."""

    def __init__(self, sentence: str, errno: Optional[int] = None, filename: Any = None):
        super().__init__(sentence)
        self.errno = errno
        self.strerror = None if errno is None else os.strerror(errno)
        self.filename = filename

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> Any:
        return type(self), (self.args[0], self.errno, self.filename)


class FileMissingError(FileError, FileNotFoundError):
    """There is no such file or directory."""


class FilePermissionError(FileError, PermissionError):
    """The file is not for this user."""


class OutOfMemoryError(Error, MemoryError):
    """There is not enough memory."""


class UnsupportedError(Error, NotImplementedError):
    """Valid, but not something this build can do."""


class Interrupted(Error):
    """Stopped by the progress function; state was saved where the call says so."""


_FILE_ERRORS: dict[type[OSError], type[FileError]] = {
    FileNotFoundError: FileMissingError, PermissionError: FilePermissionError}


def file_error(sentence: str, code: Optional[int], filename: Any) -> FileError:
    """A `FileError` of the kind that Python has for this errno."""
    kind = FileError if code is None else _FILE_ERRORS.get(type(OSError(code, "")), FileError)
    return kind(sentence, code, filename)


#: By unseen_status of unseen.h.
BY_STATUS: dict[int, type[Error]] = {
    1: ArgumentError,
    2: FormatError,
    3: FileError,
    4: OutOfMemoryError,
    5: UnsupportedError,
    6: Interrupted,
}
