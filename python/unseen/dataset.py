"""Data sets: images with features, classes with descriptions, and a split."""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _arguments, _library
from ._interface import ffi
from ._library import Path, ProgressFunction, SharedHandle, Watch, check, lib, text
from .errors import ArgumentError

_LISTS = ("trainval", "test_seen", "test_unseen")
_DTYPES = {"float32": 0, "bf16": 1}


class Split(NamedTuple):
    """Numbers of images, sorted: read-only int64 arrays."""

    trainval: NDArray[np.int64]
    test_seen: NDArray[np.int64]
    test_unseen: NDArray[np.int64]


@dataclass(frozen=True)
class ExtractResult:
    """What `Dataset.extract` did; times are seconds."""

    images: int
    taken_up: int
    kept: int
    bad: int
    unreadable: int
    ignored: int
    already_there: bool
    seconds: float
    network_seconds: float
    pooled_name: str
    regions_name: str


def _features(values: Any, dtype: Optional[str], copy: Optional[bool]) -> tuple[Any, int, bool]:
    """Features in rows, their unseen_dtype, and whether the library is to copy them."""
    array = _arguments.plain(values, "features")
    if dtype is None:
        dtype = "bf16" if array.dtype.name == "bfloat16" else "float32"
    if dtype not in _DTYPES:
        raise ArgumentError(f"{dtype!r} is none of {', '.join(_DTYPES)}")
    if dtype == "bf16":
        if array.dtype.name == "bfloat16":
            array = array.view(np.uint16)
        elif array.dtype.kind != "u" or array.dtype.itemsize != 2:
            raise ArgumentError("features of dtype bf16 come as uint16, the upper halves of float32")
        rows = _arguments.in_rows(array, np.uint16)
    else:
        rows = _arguments.floats(array)
    # Rows that were made here belong to nobody else.
    return rows, _DTYPES[dtype], bool(copy) and np.shares_memory(rows, array)


def _images(given: ArrayLike, count: int) -> NDArray[np.int64]:
    """Numbers of images, of numbers or of a mask of all."""
    images = _arguments.plain(given, "images")
    if images.dtype.kind == "b" and images.shape == (count,):
        images = np.flatnonzero(images)
    if images.size and images.dtype.kind not in "iu":
        raise ArgumentError(f"images are integers, or a mask of ({count}) booleans, not "
                            f"{images.shape} of {images.dtype}")
    return _arguments.in_rows(images.reshape(-1), np.int64)


def _order(rows: Mapping[Any, Any], class_names: Optional[Sequence[Any]]) -> Sequence[Any]:
    """Which label of an index each class is of, by its name or by its number."""
    numbers = list(range(len(rows)))
    by_number = set(rows) == set(numbers)
    by_name: Optional[list[Any]] = None
    if class_names is not None:
        names = [_arguments.name(value) for value in class_names]
        try:  # a class may be called a number, too
            called = {_arguments.name(label): label for label in rows}
        except ArgumentError:
            called = {}
        if set(names) == set(called) and len(called) == len(rows):
            by_name = [called[name] for name in names]
    if by_number and by_name is not None and by_name != numbers:
        raise ArgumentError(
            "the index of attributes may be the names of the classes or their numbers, 0 to C - 1, "
            "which are not the same: give attributes.to_numpy(), whose row k is of class k")
    if by_name is None and not by_number:
        raise ArgumentError(
            "the index of attributes is neither the names of the classes nor their numbers, 0 "
            "to C - 1: name the rows, or give attributes.to_numpy(), whose row k is of class k")
    return numbers if by_name is None else by_name


def _descriptions(
    given: Any, class_names: Optional[Sequence[Any]], attribute_names: Optional[Sequence[Any]],
) -> tuple[NDArray[np.float32], Optional[Sequence[Any]], Optional[Sequence[Any]]]:
    """Descriptions (C, A) with names of classes and attributes. NaN is what a mask hides. The index
    of a table of pandas says which class a row is of, by name or by number."""
    given = _arguments.with_unknown(given)
    if _arguments.is_table(given):
        rows = _arguments.rows_by_index(given, "attributes")
        if class_names is not None:
            class_names = _arguments.listed(class_names, "class_names")
        elif all(isinstance(label, str) for label in rows):
            class_names = list(rows)
        if attribute_names is None:
            attribute_names = _arguments.column_names(given)
        given = [rows[label] for label in _order(rows, class_names)]
    return _arguments.floats(given, "attributes"), class_names, attribute_names


class Dataset:
    """N images of C classes, their features, and descriptions of the classes.

    Opened from a directory that ``unseen import`` or `save` made, or made of arrays. Any number of
    threads may read one at the same time, callbacks of its calls too; `use_images`, `add_words` and
    `extract` wait for the others and are nothing for callbacks (RuntimeError). ``with`` closes it at the end.
    """

    def __init__(self, directory: Path):
        """Opens a directory. Raises `FileError` or `FormatError`."""
        out = ffi.new("unseen_dataset **")
        status = lib.unseen_dataset_open(_library.encode(directory), out)
        self._open: Optional[SharedHandle] = SharedHandle(out[0], lib.unseen_dataset_close)
        check(status, directory)

    @classmethod
    def from_arrays(
        cls, features: ArrayLike, labels: ArrayLike, attributes: ArrayLike, *,
        class_names: Optional[Sequence[str]] = None,
        attribute_names: Optional[Sequence[str]] = None,
        image_names: Optional[Sequence[str]] = None,
        unseen: Union[None, int, str, Sequence[str]] = None,
        split: Optional[Sequence[ArrayLike]] = None, split_seed: Optional[int] = None,
        grid: Optional[tuple[int, int]] = None, scale: Optional[str] = None,
        dtype: Optional[str] = None, copy: bool = False, name: Optional[str] = None,
    ) -> Dataset:
        """A data set of arrays.

        features: (N, F), or (N, R, F) of R regions; finite. Contiguous float32 is used where it
        lies and must stay as it is while the data set or a result of it is in use; ``copy=True``
        copies it, as all other types are. ``dtype="bf16"``: uint16, the upper halves of float32.
        labels: (N) integers, 0 to C - 1.
        attributes: (C, A) descriptions of the classes; NaN, pandas' NA, or what a mask hides, is
        unknown: the mean of the others. Of a pandas table the index names the classes, or numbers them, and the
        columns name the attributes. class_names: texts, or integers that are written out.
        unseen: names of the classes that are to be unseen, or how many are chosen; by default a
        fifth is. split: instead, the lists trainval, test_seen and test_unseen of images, each of
        numbers or a mask (N).
        grid: (h, w), R = h w. scale: "auto", "none", "range" or "as-given", as ``unseen import``.
        """
        keep: list[Any] = []
        rows, kind, copied = _features(features, dtype, copy)
        if rows.ndim not in (2, 3):
            raise ArgumentError(f"features are (N, F) or (N, R, F), not {rows.shape}")
        classes = _arguments.plain(labels, "labels")
        if classes.dtype.kind not in "iu" or classes.shape != rows.shape[:1]:
            raise ArgumentError(f"labels are ({len(rows)}) integers, not {classes.shape} of "
                                f"{classes.dtype}")
        if classes.size and not 0 <= classes.min() <= classes.max() < 2**31:
            raise ArgumentError("labels are numbers of classes, from 0")
        classes = _arguments.in_rows(classes, np.int32)
        described, class_names, attribute_names = _descriptions(
            attributes, class_names, attribute_names)
        if described.ndim != 2:
            raise ArgumentError(f"attributes are (C, A), not {described.shape}")
        sides = [None, None] if grid is None else _arguments.listed(grid, "grid")
        if len(sides) != 2:
            raise ArgumentError(f"grid is (h, w), not {grid!r}")
        given = _library.options(
            "arrays", keep, name=name, scale=scale, split_seed=split_seed, grid_height=sides[0],
            grid_width=sides[1], image_count=len(rows), width=rows.shape[-1],
            regions=rows.shape[1] if rows.ndim == 3 else None, dtype=kind,
            copy_features=int(copied), class_count=described.shape[0],
            attribute_count=described.shape[1])
        given.features = ffi.cast("void *", ffi.from_buffer(rows))
        given.labels = ffi.from_buffer("int32_t[]", classes)
        given.class_attributes = ffi.from_buffer("float[]", described)
        names = (("class_names", class_names, described.shape[0]),
                 ("attribute_names", attribute_names, described.shape[1]),
                 ("image_names", image_names, len(rows)))
        for field, values, count in names:
            if values is None:
                continue
            called = [_arguments.name(value) for value in _arguments.listed(values, field)]
            if len(called) != count:
                raise ArgumentError(f"there are {len(called)} {field} of {count}")
            setattr(given, field, _library.strings(called, keep))
        if unseen is not None and split is not None:
            raise ArgumentError("a split says which classes are unseen: give unseen or split")
        if unseen is not None:
            cls._set_unseen(given, unseen, keep)
        if split is not None:
            lists = _arguments.listed(split, "split")
            cls._set_split(given, [_images(images, len(rows)) for images in lists], keep)
        out = ffi.new("unseen_dataset **")
        status = lib.unseen_dataset_from_arrays(given, out)
        data = cls.__new__(cls)
        data._open = SharedHandle(out[0], lib.unseen_dataset_close)
        data._open.arrays = () if copied else (rows,)
        check(status)
        return data

    @staticmethod
    def _set_unseen(given: Any, unseen: Union[int, str, Sequence[Any]], keep: list[Any]) -> None:
        if isinstance(unseen, (int, float, np.number)):
            count = _arguments.whole(unseen, "unseen", 0, 2**63 - 1)
        else:
            names = [_arguments.name(value) for value in (
                [unseen] if isinstance(unseen, str)
                else _arguments.listed(unseen, "unseen", ordered=False))]
            count = len(names)
            given.unseen = _library.strings(names, keep)
        if count == 0:
            raise ArgumentError("unseen is how many classes, at least one, or their names; for "
                                "none give split=(images, [], [])")
        given.unseen_count = count

    @staticmethod
    def _set_split(given: Any, split: Sequence[NDArray[np.int64]], keep: list[Any]) -> None:
        if len(split) != len(_LISTS):
            raise ArgumentError(f"a split is three lists of images: {', '.join(_LISTS)}")
        for field, images in zip(_LISTS, split):
            # An empty list has a place, too: NULL says that there is none.
            place = images if images.size else np.zeros(1, np.int64)
            keep.append(place)
            setattr(given, field, ffi.from_buffer("int64_t[]", place))
            setattr(given, field + "_count", images.size)

    # ---- life ----

    @property
    def _handle(self) -> SharedHandle:
        if self._open is None:
            raise ArgumentError("the data set is closed")
        return self._open

    def close(self) -> None:
        """Lets go of the data set; arrays that were taken of it, and results, keep what they need."""
        self._open = None

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._open is None:
            return "<unseen.Dataset, closed>"
        return (f"<unseen.Dataset {self.name!r}: {len(self)} images of {self.class_count} classes, "
                f"{self.class_count - int(self.class_seen.sum())} unseen>")

    def save(self, directory: Path) -> None:
        """Writes a data set in memory as a directory, whole or not at all."""
        path = _library.encode(directory)
        check(self._handle.read(lambda data: lib.unseen_dataset_save(data, path)), directory)

    def use_images(self, folder: Path) -> None:
        """Takes the pictures from another folder from now on."""
        path = _library.encode(folder)
        check(self._handle.change(lambda data: lib.unseen_dataset_use_images(data, path)), folder)

    # ---- what is in it ----

    def __len__(self) -> int:
        """N."""
        return int(lib.unseen_dataset_image_count(self._handle.pointer))

    @property
    def name(self) -> str:
        return text(lib.unseen_dataset_name(self._handle.pointer))

    @property
    def class_count(self) -> int:
        """C."""
        return int(lib.unseen_dataset_class_count(self._handle.pointer))

    @property
    def class_names(self) -> list[str]:
        """[C]"""
        data = self._handle.pointer
        return [text(lib.unseen_dataset_class_name(data, k)) for k in range(self.class_count)]

    @property
    def class_seen(self) -> NDArray[np.bool_]:
        """(C): whether images of the class are in trainval."""
        data = self._handle.pointer
        return np.array([lib.unseen_dataset_class_seen(data, k) == 1
                         for k in range(self.class_count)], dtype=bool)

    @property
    def image_names(self) -> Optional[list[str]]:
        """[N], or None."""
        data = self._handle.pointer
        names = [_library.name_or_none(lib.unseen_dataset_image_name(data, i))
                 for i in range(len(self))]
        return None if None in names else [name or "" for name in names]

    @property
    def image_folder(self) -> Optional[str]:
        """The folder in which the images have these names, or None."""
        folder: Optional[str] = self._handle.read(
            lambda data: _library.name_or_none(lib.unseen_dataset_image_folder(data)))
        return folder

    @property
    def labels(self) -> Optional[NDArray[np.int32]]:
        """(N) int32, the class of each image, read-only; None if unknown."""
        handle = self._handle
        labels = lib.unseen_dataset_labels(handle.pointer)
        return _library.view(handle, labels, (len(self),), np.int32) if labels else None

    @property
    def split_hash(self) -> str:
        """SHA-256 of the split, hexadecimal."""
        return text(lib.unseen_dataset_split_hash(self._handle.pointer))

    @property
    def split_name(self) -> Optional[str]:
        """Its published name, or None."""
        return _library.name_or_none(lib.unseen_dataset_split_name(self._handle.pointer))

    @property
    def notes(self) -> list[str]:
        """Sentences about what the import found or decided."""
        notes: list[str] = json.loads(text(lib.unseen_dataset_notes(self._handle.pointer)))
        return notes

    def _lists(self, function: Any, *which: int) -> Split:
        handle = self._handle
        images, count = ffi.new("const int64_t **"), ffi.new("size_t *")
        lists = []
        for k, _ in enumerate(_LISTS):
            check(function(handle.pointer, *which, k, images, count))
            lists.append(_library.view(handle, images[0], (int(count[0]),), np.int64))
        return Split(*lists)

    @property
    def split(self) -> Split:
        """The lists trainval, test_seen and test_unseen."""
        return self._lists(lib.unseen_dataset_split)

    @property
    def folds(self) -> list[Split]:
        """The same of each validation fold, which lie in trainval."""
        count = int(lib.unseen_dataset_fold_count(self._handle.pointer))
        return [self._lists(lib.unseen_dataset_fold, k) for k in range(count)]

    @property
    def semantics_names(self) -> list[str]:
        """Names of the descriptions of the classes."""
        data = self._handle.pointer
        return [text(lib.unseen_dataset_semantics_name(data, i))
                for i in range(int(lib.unseen_dataset_semantics_count(data)))]

    def semantics(self, name: str = "att") -> NDArray[np.float32]:
        """(C, A) float32, a description of the classes as methods take it; read-only."""
        handle = self._handle
        values, count = ffi.new("const float **"), ffi.new("size_t *")
        check(lib.unseen_dataset_semantics(handle.pointer, _library.encode(name), values, count))
        return _library.view(handle, values[0], (self.class_count, int(count[0])), np.float32)

    def attribute_names(self, semantics: str = "att") -> list[Optional[str]]:
        """[A] names of the attributes of a description."""
        name, count = _library.encode(semantics), self.semantics(semantics).shape[1]
        return list(self._handle.read(lambda data: [
            _library.name_or_none(lib.unseen_dataset_attribute_name(data, name, i))
            for i in range(count)]))

    def words(self, semantics: str = "att") -> Optional[NDArray[np.float32]]:
        """(A, E) float32, a word vector of each attribute of a description, read-only; None where
        there are none."""
        handle = self._handle
        vectors, width = ffi.new("const float **"), ffi.new("size_t *")
        name = _library.encode(semantics)
        check(handle.read(lambda data: lib.unseen_dataset_words(data, name, vectors, width)))
        if not vectors[0]:
            return None
        rows = self.semantics(semantics).shape[1]
        return _library.view(handle, vectors[0], (rows, int(width[0])), np.float32)

    def add_words(self, vectors: Path, *, semantics: Optional[Sequence[str]] = None,
                  attributes: Optional[Path] = None, tensor: Optional[str] = None) -> None:
        """Gives the attributes their word vectors, which MSDN, DEDN and DUET start from.

        vectors: a file of GloVe or word2vec, one with a row for each attribute (safetensors, .npy,
        .npz; tensor: which of it), or "builtin:words", which needs no file and only tells words
        apart. semantics: the descriptions that get them; by default all of that many attributes.
        attributes: a file with their names, by default the data set's. The directory of one that
        was opened is written, too.
        """
        keep: list[Any] = []
        chosen = _arguments.listed(semantics, "semantics")
        options = _library.options("words_options", keep, tensor=tensor, attributes=attributes,
                                   semantics_count=len(chosen))
        if chosen:
            options.semantics = _library.strings(chosen, keep)
        path = _library.encode(vectors)
        check(self._handle.change(
            lambda data: lib.unseen_dataset_add_words(data, path, options)))  # about any of its files

    # ---- features ----

    @property
    def feature_sets(self) -> list[str]:
        """Names of the feature sets, as the directory has them now."""
        def read(data: Any) -> list[str]:
            names: list[str] = []
            while True:
                name = lib.unseen_dataset_feature_set(data, len(names))
                if not name:
                    return names
                names.append(text(name))
        return list(self._handle.read(read))

    def feature_shape(self, name: Optional[str] = None) -> tuple[int, int]:
        """(R, F) of a feature set; None: the only one."""
        regions, width = ffi.new("size_t *"), ffi.new("size_t *")
        which = ffi.NULL if name is None else _library.encode(name)
        check(self._handle.read(
            lambda data: lib.unseen_dataset_feature_shape(data, which, regions, width)))
        return int(regions[0]), int(width[0])

    def features(self, images: Optional[ArrayLike] = None,
                 name: Optional[str] = None) -> NDArray[np.float32]:
        """(n, R, F) float32, rows of these images, by default of all; zeros of an image without.
        images: numbers, or a mask (N)."""
        rows = _images(np.arange(len(self)) if images is None else images, len(self))
        out = np.empty((len(rows), *self.feature_shape(name)), np.float32)
        which = ffi.NULL if name is None else _library.encode(name)
        check(self._handle.read(lambda data: lib.unseen_dataset_features(
            data, which, ffi.from_buffer("int64_t[]", rows), len(rows),
            ffi.from_buffer("float[]", out, require_writable=True))))
        return out

    def extract(
        self, backbone: Optional[Path] = None, *, pooled: Optional[bool] = None,
        regions: Optional[bool] = None, pooled_name: Optional[str] = None,
        regions_name: Optional[str] = None, pooled_dtype: Optional[str] = None,
        regions_dtype: Optional[str] = None, image_size: Optional[int] = None,
        batch: Optional[int] = None, orientation: Optional[str] = None,
        precision: Optional[str] = None, strict: Optional[bool] = None,
        keep_going: Optional[bool] = None,
        progress: Union[None, bool, ProgressFunction] = None,
    ) -> ExtractResult:
        """Adds features of the pictures, as ``unseen extract`` does; a data set of a directory.

        backbone: a weights file; by default the built-in descriptor. Stopped, by Ctrl-C too, it
        goes on with the same call later.
        """
        keep: list[Any] = []
        for kind in (pooled_dtype, regions_dtype):
            if kind is not None and kind not in _DTYPES:
                raise ArgumentError(f"{kind!r} is none of {', '.join(_DTYPES)}")
        watch = Watch(progress)
        given = _library.options(
            "extract_options", keep, backbone=backbone, pooled=pooled, regions=regions,
            pooled_name=pooled_name, regions_name=regions_name,
            pooled_dtype=None if pooled_dtype is None else _DTYPES[pooled_dtype],
            regions_dtype=None if regions_dtype is None else _DTYPES[regions_dtype],
            image_size=image_size, batch=batch,
            orientation=None if orientation is None else _library.member(
                "ORIENTATION", orientation, ("model", "stored", "exif")),
            precision=precision, strict=strict, keep_going=keep_going, progress=watch.callback)
        result = ffi.new("unseen_extract_result *")
        result.size = ffi.sizeof("unseen_extract_result")
        watch.check(self._handle.change(lambda data: lib.unseen_extract(data, given, result)))
        return ExtractResult(
            images=result.images, taken_up=result.taken_up, kept=result.kept, bad=result.bad,
            unreadable=result.unreadable, ignored=result.ignored,
            already_there=bool(result.already_there), seconds=result.seconds,
            network_seconds=result.network_seconds, pooled_name=text(result.pooled_name),
            regions_name=text(result.regions_name))

    def check(self, *,
              progress: Union[None, bool, ProgressFunction] = None) -> Mapping[str, Any]:
        """Verifies all of it, as ``unseen check --json`` prints it: "errors", "warnings"."""
        out = ffi.new("const char **")
        watch = Watch(progress)
        options = _library.options("check_options", [], progress=watch.callback)

        def read(data: Any) -> str:
            watch.check(lib.unseen_dataset_check_with(data, options, out))
            return text(out[0])
        report: Mapping[str, Any] = json.loads(self._handle.read(read))
        return report


def handle_of(data: Any) -> SharedHandle:
    """The handle of what is to be a data set."""
    if not isinstance(data, Dataset):
        raise ArgumentError(f"data is an unseen.Dataset, not {type(data).__name__}; "
                            "Dataset.from_arrays makes one of arrays")
    return data._handle
