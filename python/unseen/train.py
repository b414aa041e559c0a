"""Training a model, or one for each of several seeds, and pages about them."""
from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, TypeVar, Union, overload

import numpy as np

from . import _arguments, _library
from ._interface import ffi
from ._library import Handle, Path, ProgressFunction, Setting, Watch, lib
from .dataset import Dataset, handle_of
from .errors import ArgumentError
from .model import Model
from .result import Result

Item = TypeVar("Item")
_MEASURES = ("T1", "U", "S", "H", "AUSUC")


class Seeds(Sequence[Item]):
    """One of each seed."""

    def __init__(self, items: Sequence[Item]):
        self._items = tuple(items)

    @overload
    def __getitem__(self, i: int) -> Item: ...

    @overload
    def __getitem__(self, i: slice) -> Sequence[Item]: ...

    def __getitem__(self, i: Union[int, slice]) -> Union[Item, Sequence[Item]]:
        return self._items[i]

    def __len__(self) -> int:
        return len(self._items)


class Models(Seeds[Model]):
    """The models of several seeds."""

    def __init__(self, models: Sequence[Model], results: Sequence[Result]):
        super().__init__(models)
        #: What each training came to, `Results`.
        self.results = Results(results)

    @property
    def best(self) -> Model:
        """The one that did best on the validation folds, never on a test list; the first where
        nothing was validated."""
        def measured(model: Model) -> float:
            value = (model.manifest.get("selection") or {}).get("mean_metric")
            by_test = (model.manifest.get("selection") or {}).get("mode") != "validation"
            return float("-inf") if value is None or by_test else float(value)
        return max(self._items, key=measured)

    def evaluate(self, data: Dataset, **options: Any) -> Results:
        """Tests each as `Model.evaluate` does."""
        return Results([model.evaluate(data, **options) for model in self._items])

    def add_class(self, name: str, attributes: Mapping[str, float]) -> None:
        """Adds the class to each."""
        for model in self._items:
            model.add_class(name, attributes)

    def add_classes(self, classes: Mapping[str, Mapping[str, float]]) -> None:
        """Adds the classes to each."""
        for model in self._items:
            model.add_classes(classes)

    def predict(self, pictures: Any, top: Optional[int] = None,
                **options: Any) -> Any:
        """Asks the `best`."""
        return self.best.predict(pictures, top, **options)

    def __repr__(self) -> str:
        return f"<unseen.Models: {len(self)} seeds of {self._items[0]!r}>"


class Results(Seeds[Result]):
    """Results of several seeds: ``results[0]`` is that of the first. ``results.H``,
    ``results["H"]`` and ``results.mean("H")`` are the mean over the seeds, ``results.sd("H")`` the
    standard deviation; likewise of the other numbers that a `Result` has.
    """

    @overload
    def __getitem__(self, i: int) -> Result: ...

    @overload
    def __getitem__(self, i: slice) -> Results: ...

    @overload
    def __getitem__(self, i: str) -> float: ...

    def __getitem__(self, i: Union[int, slice, str]) -> Union[Result, Results, float]:
        """The result of a seed, or those of some; of a key the `mean`."""
        if isinstance(i, str):
            return self.mean(i)
        return Results(self._items[i]) if isinstance(i, slice) else self._items[i]

    @property
    def T1(self) -> float:  # pylint: disable=invalid-name
        return self.mean("T1")

    @property
    def U(self) -> float:  # pylint: disable=invalid-name
        return self.mean("U")

    @property
    def S(self) -> float:  # pylint: disable=invalid-name
        return self.mean("S")

    @property
    def H(self) -> float:  # pylint: disable=invalid-name
        return self.mean("H")

    @property
    def AUSUC(self) -> float:  # pylint: disable=invalid-name
        return self.mean("AUSUC")

    @property
    def gamma(self) -> float:
        return self.mean("gamma")

    def mean(self, key: str) -> float:
        """The mean of a number over the seeds."""
        return float(np.mean([result[key] for result in self._items]))

    def sd(self, key: str) -> float:
        """Its sample standard deviation; NaN of one seed."""
        values = [result[key] for result in self._items]
        return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")

    def to_dict(self) -> dict[str, dict[str, float]]:
        """The "mean" and the "sd" of T1, U, S, H and AUSUC."""
        return {key: {"mean": self.mean(key), "sd": self.sd(key)} for key in _MEASURES}

    def to_frame(self) -> Any:
        """The same as a pandas DataFrame, a row for each number."""
        import pandas
        return pandas.DataFrame.from_dict(self.to_dict(), orient="index")

    def __repr__(self) -> str:
        def percent(key: str) -> str:
            if np.isnan(self.mean(key)):
                return "-"
            spread = self.sd(key)
            return f"{100 * self.mean(key):.1f}" + (
                "" if np.isnan(spread) else f" ± {100 * spread:.1f}")
        return "<unseen.Results " + "  ".join(
            f"{key} {percent(key)}" for key in _MEASURES) + f", {len(self)} seeds>"


@overload
def train(
    method: str, data: Dataset, *, seeds: None = ...,
    seed: Optional[int] = ..., preset: Optional[str] = ...,
    settings: Optional[Mapping[str, Setting]] = ..., config: Optional[Path] = ...,
    features: Optional[str] = ..., select: Optional[str] = ..., folds: Optional[int] = ...,
    all_images: Optional[bool] = ..., precision: Optional[str] = ...,
    max_steps: Optional[int] = ..., output: Optional[Path] = ..., log: Optional[Path] = ...,
    resume: Optional[bool] = ..., checkpoint_seconds: Optional[float] = ...,
    progress: Union[None, bool, ProgressFunction] = ...,
) -> Model: ...


@overload
def train(
    method: str, data: Dataset, *, seeds: Sequence[int],
    seed: Optional[int] = ..., preset: Optional[str] = ...,
    settings: Optional[Mapping[str, Setting]] = ..., config: Optional[Path] = ...,
    features: Optional[str] = ..., select: Optional[str] = ..., folds: Optional[int] = ...,
    all_images: Optional[bool] = ..., precision: Optional[str] = ...,
    max_steps: Optional[int] = ..., output: Optional[Path] = ..., log: Optional[Path] = ...,
    resume: Optional[bool] = ..., checkpoint_seconds: Optional[float] = ...,
    progress: Union[None, bool, ProgressFunction] = ...,
) -> Models: ...


def train(
    method: str, data: Dataset, *, seeds: Optional[Sequence[int]] = None,
    seed: Optional[int] = None, preset: Optional[str] = None,
    settings: Optional[Mapping[str, Setting]] = None, config: Optional[Path] = None,
    features: Optional[str] = None, select: Optional[str] = None, folds: Optional[int] = None,
    all_images: Optional[bool] = None, precision: Optional[str] = None,
    max_steps: Optional[int] = None, output: Optional[Path] = None, log: Optional[Path] = None,
    resume: Optional[bool] = None, checkpoint_seconds: Optional[float] = None,
    progress: Union[None, bool, ProgressFunction] = None,
) -> Union[Model, Models]:
    """Trains a method, chooses its length and gamma, tests it once.

    seed: from 0 to 2^64 - 1. seeds: one model for each, `Models`, in the place of a seed. settings:
    by key, as ``unseen train METHOD --settings`` lists them. select: "validation", "test" (marked in every result) or "none". output: the model
    file; stopped, by Ctrl-C too, its checkpoint is written, and ``resume=True`` goes on and ends
    with the same bytes as a training that was never stopped. log: a CSV file. progress: True for a
    bar, or a function of `Progress` whose true answer stops.

    The model of one seed has the result on the test lists in `Model.manifest`; `Models` in
    `Models.results`. Defaults are the library's. Raises `ArgumentError` where settings and data do
    not go together.
    """
    keep: list[Any] = []
    handle = handle_of(data)
    watch = Watch(progress)
    chosen = _library.settings_list(settings)
    each = [] if seeds is None else [
        _arguments.whole(value, "a seed") for value in _arguments.listed(seeds, "seeds")]
    if seeds is not None and seed is not None:
        raise ArgumentError("seeds stand in the place of a seed: give one of the two")
    if checkpoint_seconds is not None and output is None:
        raise ArgumentError("checkpoints lie beside an output: checkpoint_seconds needs one")
    options = _library.options(
        "train_options", keep, preset=preset, config=config, features=features, select=select,
        folds=folds, all=all_images, seed=seed, precision=precision, max_steps=max_steps,
        output=output, log=log, resume=resume, checkpoint_seconds=checkpoint_seconds,
        setting_count=len(chosen), progress=watch.callback)
    if chosen:
        options.settings = _library.strings(chosen, keep)
    name = _library.encode(method)
    count = 1 if seeds is None else len(each)
    models = ffi.new("unseen_model *[]", max(count, 1))
    results = ffi.new("unseen_result *[]", max(count, 1))
    if seeds is None:
        status = handle.read(
            lambda pointer: lib.unseen_train(name, pointer, options, models, results))
    else:
        status = handle.read(lambda pointer: lib.unseen_train_seeds(
            name, pointer, options, each, count, ffi.NULL, ffi.NULL, models, results))
    trained = [Model._of(models[i]) for i in range(count) if models[i]]
    tested = [Result(Handle(results[i], lib.unseen_result_close), handle)
              for i in range(count) if results[i]]
    watch.check(status)
    return trained[0] if seeds is None else Models(trained, tested)


def report(data: Dataset, models: Union[Model, Sequence[Model]], path: Path, *,
           logs: Optional[Sequence[Path]] = None, features: Optional[str] = None,
           gamma: Union[None, str, float] = None,
           progress: Union[None, bool, ProgressFunction] = None) -> int:
    """Writes an HTML page about models on a data set, whole or not at all; its size in bytes.
    models: a list, or one. logs: CSV logs of training, of the first models."""
    keep: list[Any] = []
    place = handle_of(data)
    watch = Watch(progress)
    files = _arguments.listed(logs, "logs")
    given_models = [models] if isinstance(models, Model) else _arguments.listed(models, "models")
    if not all(isinstance(model, Model) for model in given_models):
        raise ArgumentError("models are unseen.Model, one or a list")
    options = _library.options(
        "report_options", keep, features=features, log_count=len(files),
        gamma=None if gamma is None else _library.setting_text(gamma), progress=watch.callback)
    if files:
        options.logs = _library.strings(files, keep)
    size = ffi.new("size_t *")
    handles = [model._handle for model in given_models]
    given = ffi.new("const unseen_model *[]", [handle.pointer for handle in handles])
    name = _library.encode(path)

    def write(waiting: Sequence[Handle]) -> Any:
        """Under the locks of the handles, which are taken in one order, whoever asks."""
        if waiting:
            with waiting[0].alone:
                return write(waiting[1:])
        return place.read(
            lambda pointer: lib.unseen_report(pointer, given, len(handles), options, name, size))
    watch.check(write(sorted(set(handles), key=id)))  # about the page, a log or the data set
    return int(size[0])
