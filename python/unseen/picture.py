"""Pictures as they are given to a model, and as a network sees them."""
from __future__ import annotations

import json
import os
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from . import _arguments, _library
from ._interface import ffi
from ._library import check, lib
from .errors import ArgumentError


class Crop(NamedTuple):
    """What a network sees of a picture, made by `crop`; models take it in the picture's place and
    answer the same."""

    #: (side, side, 3) uint8
    pixels: NDArray[np.uint8]
    #: x, y, width, height of the crop in the picture's pixels.
    box: tuple[float, float, float, float]
    #: (height, width) of the picture, turned as the recipe has it.
    picture_shape: tuple[int, int]
    #: Whether it has an EXIF orientation that was not honoured.
    orientation_ignored: bool


_CONTENTS = (bytes, bytearray, memoryview)
#: A picture: a file by its path or opened for reading, its contents, pixels (h, w, 3) uint8 or a
#: `Crop`; also an image of Pillow.
Picture = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, NDArray[np.uint8], Crop, Any]


def _given(pictures: Any) -> tuple[list[Any], bool]:
    """A list of pictures, and whether it is of one that was given alone."""
    if _is_one(pictures):
        return [pictures], True
    try:
        return list(pictures), False
    except TypeError:
        raise ArgumentError("pictures are paths, files, pixels or images of Pillow, one or a list, "
                            f"not {type(pictures).__name__}") from None


def _is_one(pictures: Any) -> bool:
    return isinstance(pictures, (str, os.PathLike, Crop, *_CONTENTS)) or any(
        hasattr(pictures, part) for part in ("convert", "read")) or hasattr(
        pictures, "__array_interface__") and not _is_stack(pictures)


def _is_stack(pictures: Any) -> bool:
    """An array of pictures: of pixels, or of paths."""
    return isinstance(pictures, np.ndarray) and (
        pictures.ndim == 4 or pictures.ndim == 1 and pictures.dtype.kind in "OUS")


def _path_of(picture: Any) -> Any:
    return picture if isinstance(picture, (str, os.PathLike)) else None


def _read(file: Any, i: int) -> bytes:
    """What is left to read of an open file."""
    contents = file.read()
    if not isinstance(contents, bytes):
        raise ArgumentError(f"picture {i}: a file is read as bytes: open it with \"rb\"")
    return contents


def _where(crop: Crop) -> Any:
    """An unseen_crop."""
    where = ffi.new("unseen_crop *")
    try:
        where.side = len(crop.pixels)
        where.x, where.y, where.width, where.height = crop.box
        where.picture_height, where.picture_width = crop.picture_shape
        where.ignored = crop.orientation_ignored
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(f"the crop is none that unseen.crop made: {error}") from None
    return where


def _pictures(pictures: Sequence[Picture], keep: list[Any]) -> Any:
    """An array of unseen_picture; `keep` holds what they point to."""
    out = ffi.new("unseen_picture[]", max(len(pictures), 1))
    keep.append(out)
    for i, picture in enumerate(pictures):
        if hasattr(picture, "read") and not isinstance(picture, os.PathLike):
            picture = _read(picture, i)
        if isinstance(picture, _CONTENTS):
            # A view that the garbage collector finds exported, in the traceback of an error, ends
            # the interpreter.
            data = ffi.from_buffer(bytes(picture) if isinstance(picture, memoryview) else picture)
            out[i].bytes, out[i].byte_count = ffi.cast("void *", data), len(data)
            keep.append(data)
        elif isinstance(picture, (str, os.PathLike)):
            path = ffi.new("char[]", _library.encode(picture))
            out[i].path = path
            keep.append(path)
        else:
            if isinstance(picture, Crop):
                where = _where(picture)
                out[i].cropped = where
                keep.append(where)
                picture = picture.pixels
            if hasattr(picture, "convert"):  # Pillow's
                picture = picture.convert("RGB")
            pixels = _arguments.plain(picture, f"picture {i}: pixels")
            if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
                raise ArgumentError(f"picture {i}: pixels are (h, w, 3) uint8, not {pixels.shape} "
                                    f"{pixels.dtype}")
            if pixels.strides[1:] != (3, 1) or pixels.strides[0] < 3 * pixels.shape[1]:
                pixels = np.ascontiguousarray(pixels)
            out[i].rgb = ffi.cast("const uint8_t *", pixels.ctypes.data)
            out[i].height, out[i].width = pixels.shape[:2]
            out[i].stride = pixels.strides[0]
            keep.append(pixels)
    return out


def crop(picture: Picture, recipe: Union[str, Mapping[str, Any]],
         max_pixels: Optional[int] = None) -> Crop:
    """Decodes a picture, turns, resizes and crops it by a model's `recipe`; needs no model, and may
    run in several threads or processes. `UnsupportedError` on one of more than max_pixels pixels,
    before any is decoded."""
    keep: list[Any] = []
    most = _arguments.whole(0 if max_pixels is None else max_pixels, "max_pixels", 0, 2**63 - 1)
    given = _pictures([picture], keep)
    text = ffi.new("char[]", _library.encode(
        recipe if isinstance(recipe, str) else json.dumps(recipe)))
    where = ffi.new("unseen_crop *")
    check(lib.unseen_picture_crop(text, ffi.NULL, 0, ffi.NULL, 0, where))
    pixels = np.empty((int(where.side), int(where.side), 3), np.uint8)
    check(lib.unseen_picture_crop(text, given, most, ffi.cast("uint8_t *", pixels.ctypes.data),
                                  pixels.nbytes, where), _path_of(picture))
    return Crop(pixels, (where.x, where.y, where.width, where.height),
                (int(where.picture_height), int(where.picture_width)), bool(where.ignored))
