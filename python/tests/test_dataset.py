"""Data sets: arrays without copies, views that keep what they show, refusals."""
import errno
import gc
import shutil

import numpy as np
import pytest
import unseen
from conftest import ATTRIBUTES, C, F, N, made
from unseen._arguments import in_rows


def test_arrays_are_told(data, arrays):
    features, labels, _ = arrays
    assert len(data) == N and data.class_count == C
    assert data.class_names[3] == "kind 3" and data.attribute_names() == ATTRIBUTES
    assert (data.labels == labels).all()
    assert data.class_seen.tolist() == [k not in (3, 5) for k in range(C)]
    assert (data.features()[:, 0] == features).all()
    assert (data.features([7, 2])[:, 0] == features[[7, 2]]).all()
    assert data.feature_sets == ["features"] and data.feature_shape() == (1, F)
    assert data.semantics().shape == (C, len(ATTRIBUTES))
    roles = np.concatenate(data.split)
    assert sorted(roles) == sorted(set(roles)) and set(labels[data.split.test_unseen]) == {3, 5}
    assert len(data.folds) >= 1 and set(data.folds[0].trainval) < set(data.split.trainval)
    assert data.image_names is None or len(data.image_names) == N
    assert any("unseen" in note for note in data.notes)
    assert data.check()["errors"] == []
    assert "2 unseen" in repr(data)


def test_rows_are_not_copied():
    features, labels, attributes = made(2)
    borrowed = unseen.Dataset.from_arrays(features, labels, attributes)
    copied = unseen.Dataset.from_arrays(features, labels, attributes, copy=True)
    features[4] = 77
    assert (borrowed.features([4]) == 77).all() and (copied.features([4]) != 77).all()
    # What had to be converted is the data set's own.
    wide = features.astype(np.float64)
    converted = unseen.Dataset.from_arrays(wide, labels, attributes)
    wide[4] = 5
    del wide, features
    gc.collect()
    assert (converted.features([4]) == 77).all()


def test_bf16_and_strides():
    features, labels, attributes = made(3)
    halves = (features.view(np.uint32) >> 16).astype(np.uint16)
    data = unseen.Dataset.from_arrays(halves, labels, attributes, dtype="bf16")
    want = (halves.astype(np.uint32) << 16).view(np.float32)
    assert (data.features()[:, 0] == want).all()
    turned = unseen.Dataset.from_arrays(np.asfortranarray(features)[::2], labels[::2], attributes)
    assert (turned.features()[:, 0] == features[::2]).all()


def test_bf16_is_two_bytes_of_a_number():
    features, labels, attributes = made(3)
    halves = (features.view(np.uint32) >> 16).astype(np.uint16)
    want = unseen.Dataset.from_arrays(halves, labels, attributes, dtype="bf16").features()
    swapped = halves.astype(halves.dtype.newbyteorder())
    data = unseen.Dataset.from_arrays(swapped, labels, attributes, dtype="bf16")
    assert (data.features() == want).all()
    for kind in ("S2", np.int16, np.float16, "V2"):
        with pytest.raises(unseen.ArgumentError, match="uint16"):
            unseen.Dataset.from_arrays(halves.view(kind), labels, attributes, dtype="bf16")


def unaligned(array):
    """The same at an address that no number of its type would have."""
    memory = np.empty(array.nbytes + 1, np.uint8)
    moved = memory[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    assert not moved.flags.aligned
    return moved


def test_arrays_anywhere(arrays):
    """What is not aligned is copied: C would read it as if it were."""
    features, labels, attributes = arrays
    numbers = np.arange(5, dtype=np.int64)
    for given in (features, labels, numbers):
        moved = in_rows(unaligned(given), given.dtype)
        assert moved.flags.aligned and (moved == given).all()
    assert in_rows(features, np.float32) is features
    data = unseen.Dataset.from_arrays(*(unaligned(array) for array in arrays))
    assert data._open.arrays[0].flags.aligned
    assert (data.features(unaligned(numbers))[:, 0] == features[:5]).all()


def test_images_by_mask_and_number(arrays):
    """A mask is a mask, and not the images 0 and 1."""
    features, labels, attributes = arrays
    seen = np.arange(N) % 3 > 0
    data = unseen.Dataset.from_arrays(features, labels, attributes,
                                      split=(seen & (labels > 1), seen & (labels <= 1), ~seen))
    assert (data.split.trainval == np.flatnonzero(seen & (labels > 1))).all()
    assert (data.features(labels == 3)[:, 0] == features[labels == 3]).all()
    assert (data.features((labels == 3).tolist())[:, 0] == features[labels == 3]).all()
    assert (data.features(np.array([7], np.uint8))[:, 0] == features[7]).all()
    assert data.features([]).shape == data.features(labels > 99).shape == (0, 1, F)
    for wrong in (np.array([1.0]), seen[:-1], ["1"], np.array([1], dtype=object)):
        with pytest.raises(unseen.ArgumentError, match="images are integers, or a mask of .600."):
            data.features(wrong)
        with pytest.raises(unseen.ArgumentError, match="images are integers, or a mask of .600."):
            unseen.Dataset.from_arrays(*arrays, split=(wrong, [], []))


def test_views_keep_their_data_set(arrays):
    data = unseen.Dataset.from_arrays(*arrays)
    labels, semantics = data.labels, data.semantics()
    want = semantics.copy()
    data.close()
    del data
    gc.collect()
    unseen.Dataset.from_arrays(*made(9))  # where the memory would be, had it been released
    assert (labels == arrays[1]).all() and (semantics == want).all()
    with pytest.raises(ValueError):
        labels[0] = 1


def test_saved_and_opened(data, tmp_path):
    data.save(tmp_path / "set")
    with unseen.Dataset(tmp_path / "set") as opened:
        assert opened.split_hash == data.split_hash
        assert (opened.features() == data.features()).all()
    with pytest.raises(unseen.ArgumentError, match="closed"):
        len(opened)
    assert "closed" in repr(opened)


@pytest.mark.parametrize("change, sentence", [
    ({"labels": np.full(N, C)}, "class"),
    ({"labels": np.zeros(N)}, "integers"),
    ({"labels": np.zeros(N - 1, int)}, "integers"),
    ({"features": np.full((N, F), np.nan)}, "finite|NaN"),
    ({"features": np.array(["a"] * N)}, "numbers"),
    ({"attributes": np.ones(C)}, r"\(C, A\)"),
    ({"class_names": ["one"]}, "1 class_names of 12"),
    ({"unseen": ["nobody"]}, "nobody"),
    ({"unseen": 0}, "at least one"),
    ({"unseen": []}, "at least one"),
    ({"unseen": 2, "split": ([0], [], [])}, "unseen or split"),
    ({"split": ([0],)}, "three lists"),
    ({"split": ([0, N], [], [])}, str(N)),
    ({"scale": "huge"}, "huge"),
    ({"dtype": "bf16"}, "uint16"),
    ({"dtype": "f8"}, "f8"),
    ({"grid": (2, 2)}, "2 x 2"),
])
def test_refusals(arrays, change, sentence):
    given = dict(zip(("features", "labels", "attributes"), arrays))
    with pytest.raises(unseen.Error, match=sentence) as raised:
        unseen.Dataset.from_arrays(**{**given, **change})
    assert isinstance(raised.value, ValueError)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(unseen.FileError) as raised:
        unseen.Dataset(tmp_path / "nowhere")
    assert isinstance(raised.value, OSError) and "nowhere" in str(raised.value)


def test_a_table_says_which_class_a_row_is_of(arrays):
    pandas = pytest.importorskip("pandas", reason="pandas (python3-pandas) is not installed")
    features, labels, attributes = arrays
    names = [f"kind {k}" for k in range(C)]
    want = unseen.Dataset.from_arrays(features, labels, attributes).semantics("original_att")
    table = pandas.DataFrame(attributes, index=names, columns=ATTRIBUTES)
    mixed = table.sample(frac=1, random_state=1)
    data = unseen.Dataset.from_arrays(features, labels, mixed, class_names=names)
    assert (data.semantics("original_att") == want).all() and data.class_names == names
    assert data.attribute_names() == ATTRIBUTES
    assert unseen.Dataset.from_arrays(features, labels, table).class_names == names
    numbered = pandas.DataFrame(attributes).sample(frac=1, random_state=1)
    data = unseen.Dataset.from_arrays(features, labels, numbered)
    assert (data.semantics("original_att") == want).all()
    numbered.index = numbered.index + 1
    for wrong, given in ((numbered, None), (mixed, names[:-1] + ["other"])):
        with pytest.raises(unseen.ArgumentError, match="index of attributes"):
            unseen.Dataset.from_arrays(features, labels, wrong, class_names=given)
    with pytest.raises(unseen.ArgumentError, match="'kind 1' twice"):
        unseen.Dataset.from_arrays(features, labels, table.rename({"kind 2": "kind 1"}))


def test_classes_may_be_called_numbers(arrays):
    pandas = pytest.importorskip("pandas", reason="pandas (python3-pandas) is not installed")
    features, labels, attributes = arrays
    want = unseen.Dataset.from_arrays(features, labels, attributes).semantics("original_att")
    hundreds = range(100, 100 + C)
    mixed = [*list(hundreds)[:-1], "other"]
    for names in (hundreds, np.array(hundreds), (str(k) for k in hundreds), mixed):
        names = list(names)
        table = pandas.DataFrame(attributes, index=names).sample(frac=1, random_state=1)
        data = unseen.Dataset.from_arrays(features, labels, table, class_names=iter(names))
        assert data.class_names == [str(name) for name in names]
        assert (data.semantics("original_att") == want).all()
    table = pandas.DataFrame(attributes, index=hundreds)
    data = unseen.Dataset.from_arrays(features, labels, table,
                                      class_names=[str(k) for k in hundreds])
    assert (data.semantics("original_att") == want).all()
    # Numbers that are names as well, of other classes: whose is row 2?
    numbered = pandas.DataFrame(attributes)
    turned = [2, 0, 1, *range(3, C)]
    for names in (turned, [str(k) for k in turned]):
        with pytest.raises(unseen.ArgumentError, match="may be the names .* or their numbers"):
            unseen.Dataset.from_arrays(features, labels, numbered, class_names=names)
        unseen.Dataset.from_arrays(features, labels, numbered.to_numpy(), class_names=names)
    for names in (range(C), range(1, C + 1), [f"kind {k}" for k in range(C)]):
        data = unseen.Dataset.from_arrays(features, labels, numbered, class_names=names)
        assert (data.semantics("original_att") == want).all()
    numbered.index = ["1", *range(1, C)]
    with pytest.raises(unseen.ArgumentError, match="neither the names"):
        unseen.Dataset.from_arrays(features, labels, numbered, class_names=range(1, C))


def test_masked_attributes_are_unknown(arrays):
    features, labels, attributes = arrays
    holes = np.zeros(attributes.shape, bool)
    holes[3, 2] = holes[5, 0] = True
    want = unseen.Dataset.from_arrays(features, labels, np.where(holes, np.nan, attributes))
    data = unseen.Dataset.from_arrays(features, labels, np.ma.array(attributes, mask=holes))
    assert (data.semantics() == want.semantics()).all()


def test_what_pandas_lacks_is_unknown(arrays, model):
    """Nullable columns hold NA, and arrays of them are objects."""
    pytest.importorskip("sklearn", reason="scikit-learn (python3-sklearn) is not installed")
    pandas = pytest.importorskip("pandas", reason="pandas (python3-pandas) is not installed")
    features, labels, attributes = arrays
    for kind in ("Float32", "Float64", "Int64", "boolean"):
        values = attributes if kind.startswith("F") else (attributes > 0.5).astype(int)
        table = pandas.DataFrame(values, columns=ATTRIBUTES).astype(kind)
        holes = np.zeros(attributes.shape, bool)
        holes[3, 2] = holes[5, 0] = True
        table = table.mask(holes)
        assert table.iloc[3, 2] is pandas.NA
        want = unseen.Dataset.from_arrays(features, labels, np.where(holes, np.nan, values))
        for given in (table, table.to_numpy()):
            data = unseen.Dataset.from_arrays(features, labels, given)
            assert (data.semantics() == want.semantics()).all()
        described = {k: table.iloc[k] for k in range(C)}
        scores = [unseen.ZeroShotClassifier("eszsl").fit(features, labels, class_attributes=given)
                  .decision_function(features[:5])
                  for given in (table, described, np.where(holes, np.nan, values))]
        assert (scores[0] == scores[2]).all() and (scores[1] == scores[2]).all()
    # Features are known, and so is a new class.
    rows = pandas.DataFrame(features).astype("Float32")
    rows.iloc[3, 2] = pandas.NA
    with pytest.raises(unseen.FormatError, match="value 2 of image 3 is not a finite number"):
        unseen.Dataset.from_arrays(rows, labels, attributes)
    with pytest.raises(unseen.ArgumentError, match="finite number"):
        model.add_classes(table.set_axis([f"new {k}" for k in range(C)]))
    with pytest.raises(unseen.ArgumentError, match="attribute 'furry' is a number, not <NA>"):
        model.add_class("new", table.iloc[3])


def test_extract(drawn, tmp_path):
    data = unseen.Dataset(shutil.copytree(drawn, tmp_path / "birds"))
    told = []
    result = data.extract(regions=False, progress=told.append)
    assert result.images == len(data) and result.bad == 0 and result.pooled_name in data.feature_sets
    assert told and told[-1].finished and told[-1].total == len(data)
    assert data.extract(regions=False).already_there
    with pytest.raises(unseen.ArgumentError, match="sideways"):
        data.extract(orientation="sideways")


def test_extract_is_strict(drawn, tmp_path):
    """The few pictures that are missing are tried before a loader is, and many by that."""
    whole = unseen.Dataset(shutil.copytree(drawn, tmp_path / "birds"))
    names = whole.image_names
    gone = tmp_path / "birds" / "images" / names[0]
    gone.rename(tmp_path / "kept")
    for _ in range(2):
        with pytest.raises(FileNotFoundError) as raised:
            whole.extract(regions=False, strict=True)
        assert names[0] in str(raised.value) and raised.value.errno == errno.ENOENT
        assert whole.extract(regions=False).bad == 1
