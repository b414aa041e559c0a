"""Models: trained, opened, asked, given new classes."""
from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence as SequenceOf
from typing import Any, BinaryIO, Callable, Mapping, NamedTuple, Optional, Sequence, Union, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _arguments, _library
from ._interface import ffi
from ._library import Handle, Path, ProgressFunction, Watch, check, lib, text
from .dataset import Dataset, handle_of
from .errors import ArgumentError, Error
from .picture import Crop, Picture, _given, _path_of, _pictures
from .result import Explanation, Result

_AMONG = ("all", "seen", "unseen", "new")
_MOST_CLASSES = 2**63 - 1


def _class_number(k: int) -> int:
    return _arguments.whole(k, "the number of a class", 0, _MOST_CLASSES)


class Prediction(NamedTuple):
    """A candidate; the score is in the unit of the method, higher is better."""

    label: str
    score: float
    seen: bool
    class_index: int


class Answer(SequenceOf[Prediction]):
    """The candidates for one picture, best first; none, and `error`, if it cannot be read."""

    def __init__(self, predictions: Sequence[Prediction], error: Optional[Error],
                 orientation_ignored: bool):
        self._predictions = tuple(predictions)
        #: What is wrong with the picture, or None.
        self.error = error
        #: Whether it has an EXIF orientation that was not honoured.
        self.orientation_ignored = orientation_ignored

    @overload
    def __getitem__(self, i: int) -> Prediction: ...

    @overload
    def __getitem__(self, i: slice) -> Sequence[Prediction]: ...

    def __getitem__(self, i: Union[int, slice]) -> Union[Prediction, Sequence[Prediction]]:
        return self._predictions[i]

    def __len__(self) -> int:
        return len(self._predictions)

    def __repr__(self) -> str:
        if self.error is not None:
            return f"<unseen.Answer: {self.error}>"
        return "<unseen.Answer: " + ", ".join(
            f"{p.label} {p.score:.4g}" for p in self._predictions) + ">"


class Model:
    """A trained model. One thread at a time uses it, others wait; `clone` gives each thread its own,
    with the weights in memory once. A callback of a call may read what the model is, and asks no
    more of it (RuntimeError). ``with`` closes it at the end."""

    def __init__(self, path: Path, *, precision: Optional[str] = None,
                 backbone: Optional[Path] = None):
        """Opens a model file, and attaches a backbone. Raises `FileError` or `FormatError`.

        precision: "auto" (as trained), "f32" or "bf16".
        """
        keep: list[Any] = []
        out = ffi.new("unseen_model **")
        status = lib.unseen_model_open_with(
            _library.encode(path),
            _library.options("model_options", keep, precision=precision), out)
        self._open: Optional[Handle] = Handle(out[0], lib.unseen_model_close)
        check(status, path)
        if backbone is not None:
            self.attach_backbone(backbone)

    @classmethod
    def _of(cls, pointer: Any) -> Model:
        model = cls.__new__(cls)
        model._open = Handle(pointer, lib.unseen_model_close)
        return model

    # ---- life ----

    @property
    def _handle(self) -> Handle:
        if self._open is None:
            raise ArgumentError("the model is closed")
        return self._open

    @property
    def _pointer(self) -> Any:
        """For calls, under a lock of the handle."""
        return self._handle.pointer

    def close(self) -> None:
        """Lets go of the model."""
        self._open = None

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def clone(self) -> Model:
        """Another model that shares the weights, with classes and gamma of its own from now on;
        without a backbone."""
        out = ffi.new("unseen_model **")
        with self._handle.alone:
            status = lib.unseen_model_clone(self._pointer, out)
        clone = Model._of(out[0])
        check(status)
        return clone

    def __copy__(self) -> Model:
        return self.clone()

    def __deepcopy__(self, _memo: Any) -> Model:
        return self.clone()

    def save(self, path: Path) -> None:
        """Writes the model with its classes and gamma as they are now, whole or not at all."""
        with self._handle.alone:
            check(lib.unseen_model_save(self._pointer, _library.encode(path)), path)

    def to_bytes(self) -> bytes:
        """What `save` writes."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model")
            self.save(path)
            with open(path, "rb") as file:
                return file.read()

    @classmethod
    def from_bytes(cls, contents: bytes) -> Model:
        """Opens a model file's contents."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model")
            with open(path, "wb") as file:
                file.write(contents)
            return cls(path)

    def __reduce__(self) -> tuple[Callable[[bytes], Model], tuple[bytes]]:
        return Model.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        if self._open is None:
            return "<unseen.Model, closed>"
        seen = int(self.class_seen.sum())
        return (f"<unseen.Model {self.method}: {seen} seen and {self.class_count - seen} unseen "
                f"classes, features of length {self.feature_length}>")

    # ---- what it is ----

    @property
    def method(self) -> str:
        with self._handle.lock:
            return text(lib.unseen_model_method(self._pointer))

    @property
    def class_count(self) -> int:
        """C."""
        with self._handle.lock:
            return int(lib.unseen_model_class_count(self._pointer))

    @property
    def class_names(self) -> list[str]:
        """[C]"""
        with self._handle.lock:
            return [text(lib.unseen_model_class_name(self._pointer, k))
                    for k in range(self.class_count)]

    @property
    def class_seen(self) -> NDArray[np.bool_]:
        """(C): whether the model was trained on the class."""
        with self._handle.lock:
            return np.array([lib.unseen_model_class_seen(self._pointer, k) == 1
                             for k in range(self.class_count)], dtype=bool)

    @property
    def attribute_names(self) -> list[Optional[str]]:
        """[A]; empty if the model fuses several descriptions."""
        with self._handle.lock:
            return [_library.name_or_none(lib.unseen_model_attribute_name(self._pointer, i))
                    for i in range(int(lib.unseen_model_attribute_count(self._pointer)))]

    @property
    def feature_length(self) -> int:
        """D = R F, the length of an image's features."""
        with self._handle.lock:
            return int(lib.unseen_model_feature_length(self._pointer))

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of attention maps."""
        height, width = ffi.new("size_t *"), ffi.new("size_t *")
        with self._handle.lock:
            lib.unseen_model_grid(self._pointer, height, width)
        return int(height[0]), int(width[0])

    @property
    def branch_count(self) -> int:
        """Number of attention branches; 0 for methods that do not attend."""
        with self._handle.lock:
            return int(lib.unseen_model_branch_count(self._pointer))

    @property
    def gamma(self) -> float:
        """What is subtracted from the scores of seen classes; 0 if none was selected."""
        with self._handle.lock:
            return float(lib.unseen_model_gamma(self._pointer))

    @gamma.setter
    def gamma(self, value: float) -> None:
        with self._handle.alone:
            check(lib.unseen_model_set_gamma(self._pointer, _arguments.real(value, "gamma")))

    @property
    def manifest(self) -> dict[str, Any]:
        """Of the training: configuration, hashes, selection, accuracies."""
        with self._handle.lock:
            said = text(lib.unseen_model_manifest(self._pointer))
        values: dict[str, Any] = json.loads(said)
        return values

    def describe(self) -> dict[str, Any]:
        """What a model card says: classes, attributes in groups, the unit of descriptions, maps,
        calibration, accuracies beside those of a guess, how they were selected, what it is for."""
        out = ffi.new("const char **")
        with self._handle.alone:
            check(lib.unseen_model_describe(self._pointer, out))
            said = text(out[0])
        values: dict[str, Any] = json.loads(said)
        return values

    # ---- classes ----

    def class_description(self, k: int) -> NDArray[np.float32]:
        """(A): the description of class k, of length 1 in models that bring them to that."""
        out = np.empty(len(self.attribute_names), np.float32)
        with self._handle.alone:
            check(lib.unseen_model_class_description(
                self._pointer, _class_number(k), ffi.from_buffer("float[]", out)))
        return out

    def nearest_class(self, k: int) -> tuple[int, float]:
        """The other class whose description is most like that of class k, and their cosine."""
        nearest, similarity = ffi.new("size_t *"), ffi.new("float *")
        with self._handle.alone:
            check(lib.unseen_model_nearest_class(
                self._pointer, _class_number(k), nearest, similarity))
        return int(nearest[0]), float(similarity[0])

    @staticmethod
    def _description(attributes: Mapping[str, float], keep: list[Any]) -> tuple[Any, Any, int]:
        said = _arguments.mapping(attributes, "a description")
        values = np.array([_arguments.real(value, f"attribute {key!r}")
                           for key, value in said.items()], dtype=np.float32)
        keep.append(values)
        return (_library.strings(map(_arguments.name, said), keep),
                ffi.from_buffer("float[]", values) if len(values) else ffi.NULL, len(values))

    def add_class(self, name: str, attributes: Mapping[str, float]) -> None:
        """Adds a class by its description, without training, or describes one anew: attributes by
        name (a mapping, or a pandas Series), in the unit of the table that the model was trained
        with, or from 0 to 1 where its attributes are shares. `ArgumentError` names unknown
        attributes with the nearest known."""
        keep: list[Any] = []
        called = _library.encode(_arguments.name(name))
        with self._handle.alone:
            check(lib.unseen_model_add_class(self._pointer, called,
                                             *self._description(attributes, keep)))

    def add_classes(self, classes: Mapping[str, Mapping[str, float]]) -> None:
        """Adds the classes of these names as `add_class` does, all or none; much quicker than one by
        one. Whether values are in percent is decided for all of them together. classes: a mapping,
        or a pandas table with the classes as its index and attributes as its columns."""
        keep: list[Any] = []
        classes = _arguments.mapping(classes, "classes")
        given = ffi.new("unseen_description[]", max(1, len(classes)))
        for place, (name, attributes) in zip(given, classes.items()):
            label = ffi.new("char[]", _library.encode(_arguments.name(name)))
            keep.append(label)
            place.name = label
            place.attributes, place.values, place.n = self._description(attributes, keep)
        with self._handle.alone:
            check(lib.unseen_model_add_classes(self._pointer, given, len(classes)))

    def replace_class(self, k: int, attributes: Mapping[str, float],
                      name: Optional[str] = None) -> None:
        """Describes class k anew, perhaps under another name."""
        keep: list[Any] = []
        called = ffi.NULL if name is None else _library.encode(_arguments.name(name))
        with self._handle.alone:
            check(lib.unseen_model_replace_class(
                self._pointer, _class_number(k), called, *self._description(attributes, keep)))

    def remove_class(self, k: int) -> None:
        """Takes class k out; those behind it move up."""
        with self._handle.alone:
            check(lib.unseen_model_remove_class(self._pointer, _class_number(k)))

    def read_classes(self, path: Path) -> None:
        """Adds or replaces the classes that a CSV or TSV file describes."""
        with self._handle.alone:
            check(lib.unseen_model_read_classes(self._pointer, _library.encode(path)), path)

    # ---- features to answers ----

    def _rows(self, features: ArrayLike) -> tuple[NDArray[np.float32], bool]:
        """(n, D) float32, and whether it was one row."""
        rows = _arguments.floats(features)
        length = self.feature_length
        one = rows.ndim == 1 or rows.ndim == 2 and rows.size == length != rows.shape[1]
        if one and rows.size == length:
            return rows.reshape(1, -1), True
        if rows.ndim not in (2, 3) or rows.size != rows.shape[0] * length:
            raise ArgumentError(f"features are (n, {length}), not {rows.shape}")
        return rows.reshape(rows.shape[0], length), False

    def score(self, features: ArrayLike, calibrated: bool = True) -> NDArray[np.float32]:
        """Scores (n, C) float32 of features (n, D) or (n, R, F), higher is better; (C) of (D).

        calibrated: seen classes are lowered by gamma. Float32 in rows is read where it lies.
        """
        rows, one = self._rows(features)
        with self._handle.alone:
            out = np.empty((len(rows), self.class_count), np.float32)
            if len(rows):
                check(lib.unseen_model_score(
                    self._pointer, ffi.from_buffer("float[]", rows), len(rows),
                    _arguments.flag(calibrated, "calibrated"), ffi.from_buffer("float[]", out)))
        return out.reshape(out.shape[1:]) if one else out

    def _each(self, features: ArrayLike, function: Any,
              shape: tuple[int, ...]) -> NDArray[np.float32]:
        rows, one = self._rows(features)
        out = np.empty((len(rows), *shape), np.float32)
        with self._handle.alone:
            for row, place in zip(rows, out):
                check(function(self._pointer, ffi.from_buffer("float[]", row),
                               ffi.from_buffer("float[]", place)))
        return out.reshape(out.shape[1:]) if one else out

    def attribute_scores(self, features: ArrayLike) -> NDArray[np.float32]:
        """How strongly each attribute was found: (n, A), or (A) of one image's features."""
        return self._each(features, lib.unseen_model_attribute_scores,
                          (len(self.attribute_names),))

    def attention(self, features: ArrayLike) -> NDArray[np.float32]:
        """Where each attribute was read, non-negative: (n, branches, A, h, w), of one image
        without n. `UnsupportedError` for methods without attention."""
        return self._each(features, lib.unseen_model_attention,
                          (self.branch_count, len(self.attribute_names), *self.grid))

    # ---- pictures to answers ----

    def attach_backbone(self, weights: Optional[Path] = None) -> None:
        """Attaches the weights file of the backbone that made the training features; None for the
        built-in descriptor."""
        with self._handle.alone:
            check(lib.unseen_model_attach_backbone(
                self._pointer, ffi.NULL if weights is None else _library.encode(weights)), weights)

    @property
    def recipe(self) -> Optional[dict[str, Any]]:
        """How the attached backbone wants its pictures, for `crop`; None without a backbone."""
        with self._handle.lock:
            said = text(lib.unseen_model_recipe(self._pointer))
        return json.loads(said) if said else None

    def set_orientation(self, orientation: str) -> None:
        """How pictures are turned: "model", "stored" or "exif"."""
        with self._handle.alone:
            check(lib.unseen_model_set_orientation(self._pointer, _library.member(
                "ORIENTATION", orientation, ("model", "stored", "exif"))))

    @overload
    def predict(self, pictures: Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, Crop,
                                      BinaryIO], top: Optional[int] = ..., *,
                among: Optional[str] = ..., calibrated: Optional[bool] = ...,
                progress: Union[None, bool, ProgressFunction] = ...) -> Answer: ...

    @overload
    def predict(self, pictures: Any, top: Optional[int] = ..., *, among: Optional[str] = ...,
                calibrated: Optional[bool] = ...,
                progress: Union[None, bool, ProgressFunction] = ...) -> Any: ...

    def predict(self, pictures: Any, top: Optional[int] = None, *, among: Optional[str] = None,
                calibrated: Optional[bool] = None,
                progress: Union[None, bool, ProgressFunction] = None) -> Any:
        """Classifies a picture, or a list of them, which are decoded in parallel.

        pictures: paths, bytes of files, files opened to be read as bytes, pixels (h, w, 3) uint8,
        images of Pillow or what `crop` made. Of one picture the answer, or what is wrong with it is
        raised; of a list a list, in which a bad picture's answer has its `error`. top: candidates
        of each, as many as there are if it is more. among: "all", "seen", "unseen" or "new" classes.
        Needs a backbone.
        """
        given, one = _given(pictures)
        keep: list[Any] = []
        watch = Watch(progress)
        if top is not None:
            top = min(_arguments.whole(top, "top", 1), self.class_count)
        options = _library.options(
            "classify_options", keep, top=top,
            among=None if among is None else _library.member("AMONG", among, _AMONG),
            calibration=None if calibrated is None else _arguments.flag(calibrated, "calibrated"),
            progress=watch.callback)
        top = int(options.top)
        out = ffi.new("unseen_prediction[]", max(1, len(given) * top))
        answers = ffi.new("unseen_answer[]", max(1, len(given)))
        with self._handle.alone:
            watch.check(lib.unseen_model_classify(
                self._pointer, _pictures(given, keep), len(given), options, out, answers))
            found = [Answer(
                [Prediction(text(p.label), float(p.score), p.seen == 1, int(p.class_index))
                 for p in (out[i * top + k] for k in range(answers[i].count))],
                # Of one picture the thread's last failure is its own, which has an errno.
                _library.failure(answers[i].status, None if one else text(answers[i].error),
                                 _path_of(given[i]))
                if answers[i].status else None, bool(answers[i].ignored))
                for i in range(len(given))]
        if not one:
            return found
        if found[0].error is not None:
            raise found[0].error
        return found[0]

    def features(self, pictures: Any, *,
                 progress: Union[None, bool, ProgressFunction] = None) -> NDArray[np.float32]:
        """What the model sees of pictures: (n, D) float32, (D) of one. A bad one is raised."""
        given, one = _given(pictures)
        keep: list[Any] = []
        watch = Watch(progress)
        options = _library.options("features_options", keep, progress=watch.callback)
        out = np.zeros((len(given), self.feature_length), np.float32)
        with self._handle.alone:
            watch.check(lib.unseen_model_features_with(
                self._pointer, _pictures(given, keep), len(given), options,
                ffi.from_buffer("float[]", out), ffi.NULL), _path_of(given[0]) if one else None)
        return out.reshape(out.shape[1:]) if one else out

    def explain(self, picture: Optional[Picture] = None, *, features: Optional[ArrayLike] = None,
                among: Optional[str] = None, instead_of: Optional[str] = None,
                top: Optional[int] = None,
                progress: Union[None, bool, ProgressFunction] = None) -> Explanation:
        """Why the model says what it says about a picture, against `instead_of` or the next best.
        Needs a backbone, or the picture's features (D); beside these `picture` is what `crop` made
        of it, only shown, or None: then there is no sheet."""
        keep: list[Any] = []
        if picture is None and features is None:
            raise ArgumentError("a picture or its features are to be explained")
        given = _pictures([] if picture is None else [picture], keep)
        if features is not None:
            rows, one = self._rows(features)
            if not one:
                raise ArgumentError(f"features of one picture are explained, not of {len(rows)}")
            keep.append(rows)
            given[0].features = ffi.from_buffer("float[]", rows)
        watch = Watch(progress)
        options = _library.options(
            "explain_options", keep, instead_of=instead_of, top=top,
            among=None if among is None else _library.member("AMONG", among, _AMONG),
            progress=watch.callback)
        out = ffi.new("unseen_explanation **")
        with self._handle.alone:
            status = lib.unseen_explain(self._pointer, given, options, out)
        explanation = Explanation(Handle(out[0], lib.unseen_explanation_close))
        watch.check(status, _path_of(picture))
        return explanation

    # ---- a data set ----

    def evaluate(self, data: Dataset, *, features: Optional[str] = None,
                 gamma: Union[None, str, float] = None, localisation: Optional[bool] = None,
                 recovery: Optional[bool] = None,
                 progress: Union[None, bool, ProgressFunction] = None) -> Result:
        """Tests the model on the test lists of a data set, whose classes and descriptions are
        taken.

        gamma: of U, S and H: "native", "selected", "validation" or a number; by default the
        model's own. localisation: how often attention points at the part it speaks of.
        """
        keep: list[Any] = []
        watch = Watch(progress)
        options = _library.options(
            "evaluate_options", keep, features=features,
            gamma=None if gamma is None else _library.setting_text(gamma),
            localisation=localisation, recovery=recovery, progress=watch.callback)
        out = ffi.new("unseen_result **")
        handle = handle_of(data)
        with self._handle.alone:
            status = handle.read(
                lambda pointer: lib.unseen_evaluate(self._pointer, pointer, options, out))
        result = Result(Handle(out[0], lib.unseen_result_close), handle)
        watch.check(status)
        return result


def methods() -> list[str]:
    """Names of the methods."""
    names: list[str] = []
    while True:
        name = lib.unseen_method_name(len(names))
        if not name:
            return names
        names.append(text(name))


def describe_method(method: str) -> dict[str, Any]:
    """A method's title, unit of scores, input ("pooled", "regions", "pixels"), presets, settings."""
    out = ffi.new("const char **")
    check(lib.unseen_method_describe(_library.encode(method), out))
    values: dict[str, Any] = json.loads(text(out[0]))
    return values


def set_threads(threads: int = 0) -> None:
    """Number of threads for computation, of the process; 0: every processor."""
    check(lib.unseen_set_threads(_arguments.whole(threads, "threads", 0, 1024)))
