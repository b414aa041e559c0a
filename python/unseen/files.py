"""Files: other people's data sets made into directories, and what is in a file."""
from __future__ import annotations

import json
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np

from . import _arguments, _library
from ._interface import ffi
from ._library import Path, check, lib, text
from .dataset import Dataset


def _quoted(name: str) -> str:
    """A name in a list with commas between."""
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name


def import_dataset(
    format: str, directory: Path, *, source: Optional[Path] = None, name: Optional[str] = None,
    features: Optional[Path] = None, layout: Optional[str] = None, labels: Optional[Path] = None,
    classes: Optional[Path] = None, table: Optional[Path] = None,
    attributes: Optional[Path] = None, semantics: Optional[Mapping[str, Path]] = None,
    scale: Optional[str] = None, unknown: Optional[Sequence[str]] = None,
    splits: Optional[Path] = None, image_files: Optional[Path] = None,
    unseen: Union[None, int, str, Sequence[str]] = None, seed: Optional[int] = None,
    write_splits: Optional[Path] = None, validation: Optional[Sequence[Path]] = None,
    features_name: Optional[str] = None, dtype: Optional[str] = None,
    images: Optional[Path] = None, allow_missing: Optional[bool] = None,
    orientation: Optional[str] = None, update: Optional[bool] = None,
    word_vectors: Optional[Path] = None, tensor: Optional[str] = None,
    images_per_class: Optional[int] = None, image_size: Optional[int] = None,
) -> Dataset:
    """Makes a data set directory of other people's data, as ``unseen import FORMAT`` does, and opens
    it. It appears whole or not at all.

    format: "xlsa17" and "region-maps", features of the published benchmarks; "cub", "awa2" and
    "folder", folders of pictures; "arrays", files of arrays; "tinybirds", the built-in data set,
    drawn. Each takes what its options are in the program; anything else is an `ArgumentError`.

    source: the HDF5 file of region-maps, the folder of pictures. table: CSV of classes and
    attributes, of a folder. features, labels: X.npy, X.npz:NAME or X.safetensors:NAME of arrays,
    features of xlsa17 a MAT file. semantics: files of descriptions of the classes, by name.
    splits: a split file; without it unseen is how many classes are to be unseen, or their names, or
    "@FILE"; an empty list is none. images_per_class, image_size in pixels: of what is drawn.
    """
    keep: list[Any] = []
    named = [] if semantics is None else [
        f"{key}={_text_of(path)}"
        for key, path in _arguments.mapping(semantics, "semantics").items()]
    absent = _arguments.listed(unknown, "unknown", ordered=False)
    folds = _arguments.listed(validation, "validation")
    options = _library.options(
        "import_options", keep, source=source, name=name, features=features, layout=layout,
        labels=labels, classes=classes, table=table, attributes=attributes,
        semantics_count=len(named), scale=scale, unknown_count=len(absent), splits=splits,
        image_files=image_files, seed=seed, write_splits=write_splits,
        validation_count=len(folds), features_name=features_name, dtype=dtype,
        images=images, allow_missing=allow_missing, update=update, word_vectors=word_vectors,
        tensor=tensor, images_per_class=images_per_class, image_size=image_size,
        orientation=None if orientation is None else _library.member(
            "ORIENTATION", orientation, ("model", "stored", "exif")))
    for field, values in (("semantics", named), ("unknown", absent), ("validation", folds)):
        if values:
            setattr(options, field, _library.strings(values, keep))
    if isinstance(unseen, (int, float, np.number)):
        options.unseen_count = _arguments.whole(unseen, "unseen", 0, 2**63 - 1)
    elif unseen is not None:
        names = unseen if isinstance(unseen, str) else ",".join(
            _quoted(_arguments.name(value))
            for value in _arguments.listed(unseen, "unseen", ordered=False))
        given = ffi.new("char[]", _library.encode(names))
        keep.append(given)
        options.unseen = given
    check(lib.unseen_import(_library.encode(format), _library.encode(directory), options))
    return Dataset(directory)


def _text_of(path: Path) -> str:
    """A path as text that `_library.encode` turns into the same bytes."""
    return str(_library.encode(path), "utf-8", "surrogateescape")


def inspect(path: Path) -> dict[str, Any]:
    """What is in a data set directory, a model, any other safetensors file or a MATLAB file, as
    ``unseen inspect --json`` writes it."""
    out = ffi.new("char **")
    check(lib.unseen_inspect(_library.encode(path), out), path)
    try:
        found: dict[str, Any] = json.loads(text(out[0]))
    finally:
        lib.unseen_free(out[0])
    return found
