"""What evaluations and trainings come to, and explanations."""
from __future__ import annotations

import json
import math
from typing import Any, NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from . import _library
from ._interface import ffi
from ._library import Handle, Path, check, lib, text
from .errors import Error

_TABLES = ("classes", "curve", "confusion")
_DRAWINGS = ("sheet", "contributions")


class Curve(NamedTuple):
    """The exact curve of U and S over all gammas, float64. Point j holds for gammas between
    gamma[j - 1] and gamma[j]; the last gamma is infinite."""

    gamma: NDArray[np.float64]
    U: NDArray[np.float64]
    S: NDArray[np.float64]

    def _repr_svg_(self) -> str:
        """S over U, for notebooks."""
        side, edge = 240, 30
        points = " ".join(f"{edge + side * u:.1f},{side + 10 - side * s:.1f}"
                          for u, s in zip(self.U, self.S))
        frame = (f'<rect x="{edge}" y="10" width="{side}" height="{side}" fill="none" '
                 'stroke="gray"/>')
        words = "".join(
            f'<text x="{x}" y="{y}" font-size="11" text-anchor="{anchor}">{word}</text>'
            for x, y, anchor, word in (
                (edge + side / 2, side + 34, "middle", "U"), (edge - 12, side / 2, "middle", "S"),
                (edge, side + 22, "middle", "0"), (edge + side, side + 22, "middle", "1"),
                (edge - 6, 16, "end", "1")))
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{side + 50}" '
                f'height="{side + 40}">{frame}{words}'
                f'<polyline points="{points}" fill="none" stroke="#1f6fb4" stroke-width="2"/></svg>')


class Result:
    """Accuracies on the test lists, fractions from 0 to 1; NaN where nothing was measured.

    T1: unseen images among unseen classes. U, S, H: unseen and seen images among all classes at
    the gamma that was asked for, and their harmonic mean. AUSUC: area under the curve of U and S.
    """

    def __init__(self, handle: Handle, data: Any = None):
        self._handle = handle
        self._data = data  # whose names, and perhaps arrays, are used

    def __getitem__(self, key: str) -> float:
        """A number by its keys, "H", "native.U", "per_image.T1"; NaN if it is null or absent."""
        return float(lib.unseen_result_number(self._handle.pointer, _library.encode(key)))

    @property
    def T1(self) -> float:  # pylint: disable=invalid-name
        return self["T1"]

    @property
    def U(self) -> float:  # pylint: disable=invalid-name
        return self["U"]

    @property
    def S(self) -> float:  # pylint: disable=invalid-name
        return self["S"]

    @property
    def H(self) -> float:  # pylint: disable=invalid-name
        return self["H"]

    @property
    def AUSUC(self) -> float:  # pylint: disable=invalid-name
        return self["AUSUC"]

    @property
    def gamma(self) -> float:
        """That U, S and H hold for."""
        return self["gamma"]

    @property
    def curve(self) -> Curve:
        """Of an evaluation. Raises `UnsupportedError` for the result of a training."""
        count = ffi.new("size_t *")
        arrays = [ffi.new("const double **") for _ in range(3)]
        check(lib.unseen_result_curve(self._handle.pointer, count, *arrays))
        return Curve(*(_library.view(self._handle, a[0], (int(count[0]),), np.float64)
                       for a in arrays))

    def to_dict(self) -> dict[str, Any]:
        """All of it, as ``unseen eval --json`` writes it."""
        values: dict[str, Any] = json.loads(text(lib.unseen_result_json(self._handle.pointer)))
        return values

    def to_frame(self) -> Any:
        """A pandas DataFrame of the classes: name, seen, images, accuracy, zero_shot."""
        import pandas
        return pandas.DataFrame(self.to_dict()["classes"])

    def write(self, table: str, path: Path) -> None:
        """Writes the table "classes", "curve" or "confusion" as CSV, whole or not at all."""
        with self._handle.alone:
            check(lib.unseen_result_write(
                self._handle.pointer, _library.member("TABLE", table, _TABLES),
                _library.encode(path)), path)

    def __repr__(self) -> str:
        def percent(key: str) -> str:
            return "-" if math.isnan(self[key]) else f"{100 * self[key]:.1f}"
        return "<unseen.Result " + "  ".join(
            f"{key} {percent(key)}" for key in ("T1", "U", "S", "H", "AUSUC")) + ">"


class Explanation:
    """Why a model says what it says about a picture: which attributes it found and where, and what
    each does for the answer against another class. A notebook shows a drawing of it."""

    def __init__(self, handle: Handle):
        self._handle = handle

    def to_dict(self) -> dict[str, Any]:
        """As the explanation.json of ``unseen explain``."""
        values: dict[str, Any] = json.loads(
            text(lib.unseen_explanation_json(self._handle.pointer)))
        return values

    def png(self, drawing: str = "sheet") -> bytes:
        """A PNG file: the "sheet", what the network saw and where it read each attribute, or
        "contributions", what each attribute did for the answer."""
        data, size = ffi.new("const void **"), ffi.new("size_t *")
        with self._handle.alone:
            check(lib.unseen_explanation_png(
                self._handle.pointer, _library.member("DRAWING", drawing, _DRAWINGS), data, size))
            return bytes(ffi.buffer(data[0], size[0]))

    def write(self, directory: Path, name: str) -> None:
        """Makes the folder DIRECTORY/NAME of pictures and numbers; DIRECTORY must exist, and NAME
        has no "/"."""
        with self._handle.alone:
            check(lib.unseen_explanation_write(
                self._handle.pointer, _library.encode(directory), _library.encode(name)), directory)

    def _repr_png_(self) -> Optional[bytes]:
        """The sheet; the contributions where there is no picture to draw on; None where neither can
        be drawn."""
        for drawing in _DRAWINGS:
            try:
                return self.png(drawing)
            except Error:
                pass
        return None

    def __repr__(self) -> str:
        said = self.to_dict()
        return (f"<unseen.Explanation: {said['answer']['label']}, "
                f"rather than {said['instead_of']['label']}>")
