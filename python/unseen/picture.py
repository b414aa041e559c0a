"""Pictures as they are given to a model, and as a network sees them."""
from __future__ import annotations

import json
import os
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from . import _library
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
#: A picture: a file, a file's contents, pixels (h, w, 3) uint8 or a `Crop`; also an image of Pillow.
Picture = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, NDArray[np.uint8], Crop, Any]


def _is_one(pictures: Any) -> bool:
    return isinstance(pictures, (str, os.PathLike, Crop, *_CONTENTS)) or hasattr(
        pictures, "__array_interface__") and not _is_stack(pictures)


def _is_stack(pictures: Any) -> bool:
    return isinstance(pictures, np.ndarray) and pictures.ndim == 4


def _where(crop: Crop) -> Any:
    """An unseen_crop."""
    where = ffi.new("unseen_crop *")
    where.side = len(crop.pixels)
    where.x, where.y, where.width, where.height = crop.box
    where.picture_height, where.picture_width = crop.picture_shape
    where.ignored = crop.orientation_ignored
    return where


def _pictures(pictures: Sequence[Picture], keep: list[Any]) -> Any:
    """An array of unseen_picture; `keep` holds what they point to."""
    out = ffi.new("unseen_picture[]", max(len(pictures), 1))
    keep.append(out)
    for i, picture in enumerate(pictures):
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
            pixels = np.asarray(picture)
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
    given = _pictures([picture], keep)
    text = ffi.new("char[]", _library.encode(
        recipe if isinstance(recipe, str) else json.dumps(recipe)))
    where = ffi.new("unseen_crop *")
    check(lib.unseen_picture_crop(text, ffi.NULL, 0, ffi.NULL, 0, where))
    pixels = np.empty((int(where.side), int(where.side), 3), np.uint8)
    check(lib.unseen_picture_crop(text, given, max_pixels or 0,
                                  ffi.cast("uint8_t *", pixels.ctypes.data), pixels.nbytes, where))
    return Crop(pixels, (where.x, where.y, where.width, where.height),
                (int(where.picture_height), int(where.picture_width)), bool(where.ignored))
