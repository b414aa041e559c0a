"""What callers hand in, as C takes it or refused with one sentence: texts, numbers, arrays, tables
of pandas."""
from __future__ import annotations

import operator
import os
import reprlib
import sys
from typing import Any, Iterable, Mapping, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from .errors import ArgumentError

Path = Union[str, "os.PathLike[str]"]

# ---- texts ----

def encode(value: Any) -> bytes:
    """A name or path: UTF-8, or the bytes of the file system. C's strings end at a NUL, so that
    what has one would be cut."""
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise ArgumentError(f"a name or path is a text, not {reprlib.repr(value)}")
    try:
        said = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else os.fsencode(
            value)
    except UnicodeEncodeError:
        raise ArgumentError(f"a name or path is text in UTF-8, not {value!r}") from None
    if b"\0" in said:
        raise ArgumentError(f"a name or path has no NUL character, unlike {reprlib.repr(value)}")
    return said


def name(value: Any) -> Any:
    """What may be called something: a text, or a whole number, which is written out."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, (str, bytes)):
        raise ArgumentError(f"a name is a text, not {reprlib.repr(value)}")
    return value


def listed(values: Optional[Iterable[Any]], what: str, ordered: bool = True) -> list[Any]:
    """The items of a list, none of None; a text is no list of its letters, and where it matters
    which is the first a set is none of its items."""
    if values is None:
        return []
    if ordered and isinstance(values, (set, frozenset)):
        raise ArgumentError(f"{what} is a list, not a set, which has no order")
    if isinstance(values, (str, bytes, os.PathLike)) or not isinstance(values, Iterable):
        raise ArgumentError(f"{what} is a list, not {reprlib.repr(values)}")
    return list(values)


# ---- numbers ----

def whole(value: Any, what: str, low: int = 0, high: int = 2**64 - 1) -> int:
    """A whole number from low to high."""
    try:
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        raise ArgumentError(f"{what} is a whole number from {low} to {high}, not "
                            f"{reprlib.repr(value)}")
    return number


def real(value: Any, what: str) -> float:
    """A number; whether NaN means something is for the library to say."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(f"{what} is a number, not {reprlib.repr(value)}") from None


def flag(value: Any, what: str) -> int:
    """Yes or no."""
    if isinstance(value, (bool, np.bool_)) or isinstance(value, int) and value in (0, 1):
        return int(value)
    raise ArgumentError(f"{what} is True or False, not {reprlib.repr(value)}")


# ---- arrays ----

def _hides(values: Any) -> bool:
    """Whether a mask (numpy.ma) hides some of them, which NumPy forgets in an array of its own."""
    if isinstance(values, (list, tuple)):
        return any(isinstance(row, np.ma.MaskedArray) and np.ma.is_masked(row) for row in values)
    return isinstance(values, np.ma.MaskedArray) and bool(np.ma.is_masked(values))


def refuse_masks(values: Any, what: str) -> None:
    if _hides(values):
        raise ArgumentError(f"{what} are hidden by a mask in part: leave these rows out, or fill "
                            "them in")


def plain(values: Any, what: str) -> NDArray[Any]:
    """An array of what may be anything, but not hidden by a mask."""
    refuse_masks(values, what)
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{what} are no array: {error}") from None


def with_unknown(values: Any) -> Any:
    """Descriptions: what a mask hides is unknown, NaN."""
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "fiub":
        return values.astype(np.float32).filled(np.nan)
    return values


def _without_na(objects: NDArray[Any]) -> NDArray[Any]:
    """NaN in the place of what pandas' nullable columns have where a number is missing."""
    missing = getattr(sys.modules.get("pandas"), "NA", None)
    if missing is None:
        return objects
    holes = np.array([value is missing for value in objects.flat], dtype=bool)
    return np.where(holes.reshape(objects.shape), np.nan, objects)


def numbers(values: Any, what: str) -> NDArray[Any]:
    """`plain` real numbers. Objects are taken where each of them is one, or pandas' NA, which is
    NaN: unknown in descriptions, refused by the library in features."""
    array = plain(values, what)
    kind = array.dtype.kind
    if kind == "O" and not any(isinstance(v, (str, bytes, complex, np.complexfloating))
                               for v in array.flat):
        try:
            return _without_na(array).astype(np.float64)
        except (TypeError, ValueError):
            pass
    elif kind in "fiub" or array.dtype.name == "bfloat16":
        return array
    raise ArgumentError(f"{what} are numbers, not {array.dtype}")


def in_rows(values: Any, dtype: Any) -> NDArray[Any]:
    """An array in rows, aligned, in the machine's order of bytes; the array itself where it is that
    already."""
    rows = np.ascontiguousarray(values, dtype=dtype)
    return rows if rows.flags.aligned else rows.copy()  # np.require is slower than a small call


def floats(values: Any, what: str = "features") -> NDArray[np.float32]:
    """Float32 `in_rows` of numbers."""
    if type(values) is np.ndarray and values.dtype == np.float32:  # nothing else costs less
        return in_rows(values, np.float32)
    return in_rows(numbers(values, what), np.float32)


# ---- tables of pandas: the index names the rows ----

def is_table(value: Any) -> bool:
    return all(hasattr(value, part) for part in ("index", "columns", "to_numpy"))


def is_series(value: Any) -> bool:
    return not is_table(value) and all(hasattr(value, part) for part in ("index", "items"))


def rows_by_index(table: Any, what: str) -> dict[Any, NDArray[Any]]:
    """The rows of a table by what its index calls them."""
    labels = table.index.tolist()
    once(labels, f"{what} has", "in its index")
    return dict(zip(labels, numbers(table.to_numpy(), what)))


def once(labels: Sequence[Any], has: str, where: str) -> None:
    """Refuses what is named twice, of which one would be lost."""
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ArgumentError(f"{has} {twice!r} twice {where}")


def column_names(table: Any) -> Optional[list[str]]:
    """Its columns where all of them are texts."""
    columns = table.columns.tolist()
    return columns if all(isinstance(column, str) for column in columns) else None


def mapping(value: Any, what: str) -> Mapping[Any, Any]:
    """A mapping, also of a pandas Series by its index, and of the rows of a table, each by its
    columns."""
    if is_table(value):
        columns = value.columns.tolist()
        once(columns, f"{what} has", "among its columns")
        return {label: dict(zip(columns, row.tolist()))
                for label, row in rows_by_index(value, what).items()}
    if isinstance(value, Mapping):
        return value
    if is_series(value):
        once(value.index.tolist(), f"{what} has", "in its index")
        return dict(value.items())
    raise ArgumentError(f"{what} is a mapping, not {reprlib.repr(value)}")
