"""Models: trained, asked, changed, pickled, shared by threads; pictures and explanations."""
import copy
import errno
import gc
import io
import json
import logging
import pickle
import threading

import numpy as np
import pytest
import unseen
from conftest import ATTRIBUTES, C, N, in_time, made


def test_trained_and_tested(data, model, arrays):
    result = model.evaluate(data)
    assert 0.5 < result.T1 <= 1 and result["native.U"] <= 1
    assert result.H == pytest.approx(2 * result.U * result.S / (result.U + result.S))
    curve = result.curve
    assert len(curve.U) == len(curve.S) == len(curve.gamma) and np.isinf(curve.gamma[-1])
    assert (np.diff(curve.U) >= 0).all() and (np.diff(curve.S) <= 0).all()
    assert curve._repr_svg_().startswith("<svg")
    # The area under the curve is the exact one of steps joined by lines.
    area = abs(np.sum(np.diff(curve.U) * (curve.S[1:] + curve.S[:-1]) / 2))
    assert result.AUSUC == pytest.approx(area, abs=1e-9)
    scores = model.score(arrays[0])
    assert scores.dtype == np.float32 and scores.shape == (N, C)
    unseen_images = data.split.test_unseen
    best = model.score(arrays[0][unseen_images])[:, [3, 5]].argmax(1)
    right = np.array([3, 5])[best] == arrays[1][unseen_images]
    assert result["per_image.T1"] == pytest.approx(right.mean())
    assert np.isnan(result["no.such.number"])
    assert result.to_dict()["method"] == "dem"
    assert "T1" in repr(result) and "dem" in repr(model)
    data.close()
    assert result.to_dict()["classes"][0]["name"] == "kind 0"


def test_gamma_lowers_seen_classes(model, arrays):
    model.gamma = 0.25
    difference = model.score(arrays[0], calibrated=False) - model.score(arrays[0])
    assert np.allclose(difference, np.where(model.class_seen, 0.25, 0), atol=1e-6)
    assert model.gamma == 0.25


def test_shapes_and_types_of_features(model, arrays):
    one = model.score(arrays[0][5])
    assert one.shape == (C,)
    assert (model.score(arrays[0][5:6])[0] == one).all()
    assert (model.score(arrays[0][5].astype(np.float64).tolist()) == one).all()
    assert (model.score(arrays[0][:, None])[5] == model.score(arrays[0])[5]).all()
    assert model.score(np.zeros((0, model.feature_length))).shape == (0, C)
    for wrong in (arrays[0][:, :3], np.zeros(3), np.zeros((2, 2, 2, 2))):
        with pytest.raises(unseen.ArgumentError, match="features are"):
            model.score(wrong)
    with pytest.raises(unseen.ArgumentError, match="image 1"):
        model.score(np.where(np.arange(N)[:, None] == 1, np.inf, arrays[0]))
    with pytest.raises(unseen.ArgumentError, match="scores of image 0"):
        model.score(arrays[0] * np.float32(3e38 / np.abs(arrays[0]).max()))


def test_names_are_text(model):
    with pytest.raises(unseen.ArgumentError, match="UTF-8"):
        model.add_class("caf\udce9", {ATTRIBUTES[0]: 1})
    assert pickle.loads(pickle.dumps(model)).class_count == C


def test_features_that_became_no_numbers(arrays, tmp_path):
    features = arrays[0].copy()
    data = unseen.Dataset.from_arrays(features, *arrays[1:])
    model = unseen.train("dem", data, select="none", settings={"hidden": 16, "epochs": 1})
    features[:] = np.nan
    with pytest.raises(unseen.FormatError, match="image [0-9]+ is not a finite number"):
        model.evaluate(data)


def test_classes_come_and_go(model, arrays):
    before = model.score(arrays[0])
    model.add_class("my beast", dict(zip(ATTRIBUTES, arrays[2][0].tolist())))
    assert model.class_names[-1] == "my beast" and model.class_count == C + 1
    assert not model.class_seen[-1]
    scores = model.score(arrays[0], calibrated=False)
    assert np.allclose(scores[:, C], scores[:, 0], atol=1e-5)
    model.replace_class(C, {"big": 1}, name="ours")
    assert model.class_names[-1] == "ours"
    model.remove_class(C)
    assert (model.score(arrays[0]) == before).all()
    for call, sentence in ((lambda: model.add_class("x", {"bgi": 1}), "big"),
                           (lambda: model.add_class("x", {}), "nothing"),
                           (lambda: model.add_class("x", {"big": float("nan")}), "finite|number"),
                           (lambda: model.remove_class(99), "99")):
        with pytest.raises(unseen.ArgumentError, match=sentence):
            call()


def test_copies(model, arrays, tmp_path):
    want = model.score(arrays[0])
    model.save(tmp_path / "kept.model")
    copies = [unseen.Model(tmp_path / "kept.model"), pickle.loads(pickle.dumps(model)),
              copy.copy(model), copy.deepcopy(model), model.clone()]
    for other in copies:
        assert (other.score(arrays[0]) == want).all()
    copies[-1].add_class("more", {"big": 1})
    assert model.class_count == C
    model.close()
    assert (copies[-1].score(arrays[0])[:, :C] == want).all()
    with pytest.raises(unseen.ArgumentError, match="closed"):
        model.score(arrays[0])


def test_seeds(data):
    models = unseen.train("dem", data, seeds=[4, 2], settings={"epochs": 4})
    alone = unseen.train("dem", data, seed=2, settings={"epochs": 4})
    assert models[1].to_bytes() == alone.to_bytes()
    results = models.evaluate(data)
    assert results.mean("H") == pytest.approx((results[0].H + results[1].H) / 2)
    assert results.sd("H") == pytest.approx(abs(results[0].H - results[1].H) / np.sqrt(2))
    for key in ("T1", "U", "S", "H", "AUSUC", "gamma"):
        assert getattr(results, key) == results[key] == results.mean(key)
    assert results["native.U"] == pytest.approx(np.mean([r["native.U"] for r in results]))
    assert results.to_dict()["H"] == {"mean": results.H, "sd": results.sd("H")}
    assert models.results.T1 == np.mean([r.T1 for r in models.results])
    assert "±" in repr(results) and "nan" not in repr(results[:1]) and len(results[:1]) == 1
    measured = [m.manifest["selection"]["mean_metric"] for m in models]
    assert models.best is models[int(np.argmax(measured))]
    models.add_class("my beast", {"big": 1})
    assert all(m.class_names[-1] == "my beast" for m in models)
    assert models.results[0]["seed"] == 4 and "2 seeds" in repr(models)
    with pytest.raises(unseen.ArgumentError, match="twice"):
        unseen.train("dem", data, seeds=[1, 1])


def test_settings_are_checked(data):
    for wrong, sentence in (({"settings": {"epoch": 3}}, "epochs"), ({"select": "luck"}, "luck"),
                            ({"precision": "f17"}, "f17"), ({"preset": "cube"}, "cub"),
                            ({"features": "maps"}, "maps")):
        with pytest.raises(unseen.ArgumentError, match=sentence):
            unseen.train("dem", data, **wrong)
    with pytest.raises(unseen.ArgumentError, match='did you mean "dem"'):
        unseen.train("dom", data)
    assert "dem" in unseen.methods()
    keys = [setting["key"] for setting in unseen.describe_method("dem")["settings"]]
    assert "epochs" in keys


def test_messages_go_to_the_logger(arrays, caplog):
    with caplog.at_level(logging.INFO, logger="unseen"):
        unseen.Dataset.from_arrays(*arrays)
    assert any("split was proposed" in r.getMessage() for r in caplog.records)


def test_one_model_and_many_threads(model, arrays):
    """Threads share a handle in turn, and clones at once; answers are the same."""
    want = model.score(arrays[0])
    wrong = []
    def ask(asked):
        for _ in range(30):
            if not (asked.score(arrays[0]) == want).all():
                wrong.append(1)
    threads = [threading.Thread(target=ask, args=(m,)) for m in (model, model, model.clone(),
                                                                 model.clone())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_interpreter_is_free(data):
    """Python goes on in other threads while the library works."""
    done, count = threading.Event(), 0
    worker = threading.Thread(target=lambda: (unseen.train("dem", data, settings={"epochs": 60}),
                                              done.set()))
    worker.start()
    while not done.wait(0.0005):
        count += 1
    worker.join()
    assert count > 20


def test_attention_and_attributes():
    features, labels, attributes = made(4, regions=4)
    data = unseen.Dataset.from_arrays(features, labels, attributes, grid=(2, 2),
                                      attribute_names=ATTRIBUTES)
    model = unseen.train("msdn", data, settings={"epochs": 2, "vectors": "one-hot"})
    assert model.grid == (2, 2) and model.branch_count == 2
    maps = model.attention(features[:3])
    assert maps.shape == (3, 2, len(ATTRIBUTES), 2, 2) and (maps >= 0).all()
    assert (model.attention(features[1]) == maps[1]).all()
    found = model.attribute_scores(features[:2])
    scores = model.score(features[:2], calibrated=False)
    sums = found @ data.semantics().T - np.where(model.class_seen, 1, -1)
    assert np.allclose(sums - sums[:, :1], scores - scores[:, :1], atol=2e-4)
    with pytest.raises(unseen.UnsupportedError, match="attention"):
        unseen.train("eszsl", unseen.Dataset.from_arrays(*made())).attention(made()[0][0])


@pytest.fixture(scope="module")
def picture_model(birds):
    data = unseen.Dataset(birds)
    data.extract()
    model = unseen.train("msdn", data, features="descriptor-1-regions", settings={"epochs": 2})
    model.attach_backbone()
    return data, model


def test_pictures(picture_model, birds, tmp_path):
    data, model = picture_model
    paths = [birds / "images" / name for name in data.image_names[:40:8]]
    answers = model.predict(paths, top=3)
    assert [len(a) for a in answers] == [3] * len(paths)
    assert answers[0][0].score >= answers[0][1].score
    one = model.predict(paths[0], top=3)
    contents = paths[0].read_bytes()
    for given in (contents, bytearray(contents), memoryview(contents)):
        assert list(model.predict(given, top=3)) == list(one) == list(answers[0])
        assert model.features(given).shape == (model.feature_length,)
    features = model.features(paths[:2])
    assert np.allclose(model.score(features[0]).max(), one[0].score)
    seen = model.predict(paths[0], top=60, among="unseen")
    assert seen and not any(p.seen for p in seen)
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    answers = model.predict([paths[0], tmp_path / "bad.jpg", tmp_path / "none.jpg"], top=1)
    assert list(answers[0]) == list(one)[:1] and len(answers[1]) == 0
    assert isinstance(answers[1].error, unseen.Error) and "bad.jpg" in str(answers[1].error)
    assert isinstance(answers[2].error, unseen.FileError)
    assert answers[2].error.filename == str(tmp_path / "none.jpg")
    for call in (model.predict, model.features, model.explain):
        with pytest.raises(FileNotFoundError, match="none.jpg") as missing:
            call(tmp_path / "none.jpg")
        assert isinstance(missing.value, unseen.FileError)
        assert missing.value.errno == errno.ENOENT
        assert missing.value.filename == str(tmp_path / "none.jpg")
    with pytest.raises(FileNotFoundError) as missing:
        model.features([paths[0], tmp_path / "none.jpg"])
    assert missing.value.errno == errno.ENOENT and missing.value.filename is None
    with pytest.raises(unseen.FormatError, match="bad.jpg"):
        model.predict(tmp_path / "bad.jpg")
    with pytest.raises(unseen.ArgumentError, match="uint8"):
        model.predict(np.zeros((4, 4)))
    with pytest.raises(unseen.ArgumentError, match="some"):
        model.predict(paths[0], among="some")
    assert model.predict([]) == []
    # As many candidates as there are, in memory for no more.
    assert list(model.predict(paths[0], top=2**62)) == list(
        model.predict(paths[0], top=model.class_count))
    # Open files, an array of paths, and none of them twice.
    with open(paths[0], "rb") as file:
        assert list(model.predict(file, top=3)) == list(one)
    assert list(model.predict(io.BytesIO(contents), top=3)) == list(one)
    several = model.predict([io.BytesIO(contents), paths[1]], top=3)
    assert [list(a) for a in several] == [list(a) for a in model.predict(paths[:2], top=3)]
    assert len(model.predict(np.array([str(path) for path in paths]), top=1)) == len(paths)
    with pytest.raises(unseen.ArgumentError, match='open it with "rb"'):
        model.predict(io.StringIO("text"))
    with pytest.raises(unseen.ArgumentError, match="pictures are paths"):
        model.predict(3)
    with pytest.raises(unseen.ArgumentError, match="hidden by a mask"):
        model.predict(np.ma.array(np.zeros((4, 4, 3), np.uint8), mask=True))
    # Pixels, also of a part of an array, as the file that says the same.
    Image = pytest.importorskip("PIL.Image")
    with Image.open(paths[0]) as picture:
        pixels = np.asarray(picture.convert("RGB"))
        assert list(model.predict(pixels, top=3)) == list(model.predict(picture, top=3)) == list(one)
    wide = np.zeros((pixels.shape[0], pixels.shape[1] + 9, 3), np.uint8)
    wide[:, 4:-5] = pixels
    assert list(model.predict(wide[:, 4:-5], top=3)) == list(one)


def test_views_of_bad_pictures(picture_model):
    """Ended the interpreter when the garbage collector found the view in an error's traceback."""
    model = picture_model[1]
    for i in range(300):
        with pytest.raises(unseen.FormatError):
            model.predict(io.BytesIO(b"no picture %d" % i).getbuffer())
        if i % 50 == 0:
            gc.collect()


def test_explanations(picture_model, birds, tmp_path):
    data, model = picture_model
    explanation = model.explain(birds / "images" / data.image_names[0])
    said = explanation.to_dict()
    assert said["answer"]["label"] in data.class_names and said["method"] == "msdn"
    for drawing in ("sheet", "contributions"):
        assert explanation.png(drawing).startswith(b"\x89PNG")
    assert explanation._repr_png_() == explanation.png()
    for name in ("..", "../x", "a/b", "why\0not"):
        with pytest.raises(unseen.ArgumentError):
            explanation.write(tmp_path, name)
    explanation.write(tmp_path, "why")
    written = json.loads((tmp_path / "why" / "explanation.json").read_text())
    assert written["answer"]["label"] == said["answer"]["label"]
    size = unseen.report(data, [model], tmp_path / "report.html")
    assert size == (tmp_path / "report.html").stat().st_size


def test_a_notebook_shows_what_there_is(model, arrays, monkeypatch):
    """Without a picture the contributions, and no traceback where nothing can be drawn."""
    explanation = model.explain(features=arrays[0][5])
    assert explanation._repr_png_() == explanation.png("contributions")
    with pytest.raises(unseen.ArgumentError, match="no picture"):
        explanation.png()
    drawn = explanation.png("contributions")
    with model._handle.lock:  # the model is another thread's now
        assert in_time(lambda: explanation.png("contributions")) == drawn
    model.remove_class(0)
    model.close()
    assert explanation.png("contributions") == drawn

    def absent(_explanation, _drawing="sheet"):
        raise unseen.UnsupportedError("cairo is absent")
    monkeypatch.setattr(unseen.Explanation, "png", absent)
    assert explanation._repr_png_() is None and "rather than" in repr(explanation)


def test_crops_stand_for_their_pictures(picture_model, birds):
    data, model = picture_model
    path = birds / "images" / data.image_names[0]
    recipe = model.recipe
    crop = unseen.crop(path, recipe)
    assert crop.pixels.shape == (recipe["crop"], recipe["crop"], 3)
    assert crop.picture_shape == (64, 64) and not crop.orientation_ignored
    assert list(model.predict(crop)) == list(model.predict(path))
    assert (model.features([crop, path])[0] == model.features(path)).all()
    said = model.explain(path).to_dict()
    assert {**model.explain(crop).to_dict(), "image": said["image"]} == said
    clone = model.clone()
    assert clone.recipe is None
    clone.add_class("ours", {data.attribute_names()[0]: 1})
    features = model.features(path)
    other = clone.explain(crop, features=features, instead_of="ours").to_dict()
    assert other["crop"] == said["crop"] and other["instead_of"]["label"] == "ours"
    assert clone.explain(features=features).to_dict()["crop"] is None
    with pytest.raises(unseen.ArgumentError, match="backbone"):
        clone.predict(crop)
    with pytest.raises(unseen.ArgumentError, match="a picture or its features"):
        clone.explain()
    with pytest.raises(unseen.UnsupportedError, match="64 x 64"):
        unseen.crop(path.read_bytes(), json.dumps(recipe), max_pixels=4095)
    with pytest.raises(unseen.FormatError, match="resiz"):
        unseen.crop(path, {"resiz": 3})


def test_a_model_describes_itself(model):
    card = model.describe()
    assert card["method"] == "dem" and card["class_count"] == C and card["pictures"] is False
    assert card["accuracies"]["chance_T1"] == 0.5
    assert [a["name"] for a in card["attribute_groups"][0]["attributes"]] == ATTRIBUTES
    rows = np.array([model.class_description(k) for k in range(C)])
    cosines = rows @ rows.T / np.outer(*[np.linalg.norm(rows, axis=1)] * 2)
    np.fill_diagonal(cosines, -2)
    nearest, similarity = model.nearest_class(4)
    assert nearest == cosines[4].argmax() and similarity == pytest.approx(cosines[4].max(), abs=1e-5)
    with pytest.raises(unseen.ArgumentError, match="99"):
        model.nearest_class(99)


def test_many_classes_at_once(data, model, arrays):
    """The same bytes as one by one, or none of them."""
    rng = np.random.default_rng(5)
    described = {f"new {k}": dict(zip(ATTRIBUTES, rng.random(len(ATTRIBUTES)).tolist()))
                 for k in range(100)}
    single = model.clone()
    model.add_classes(described)
    for name, attributes in described.items():
        single.add_class(name, attributes)
    assert model.class_names == single.class_names and model.class_count == C + 100
    assert (model.score(arrays[0]) == single.score(arrays[0])).all()
    described["wrong"] = {"bgi": 1}
    before = model.score(arrays[0])
    with pytest.raises(unseen.ArgumentError, match="big"):
        model.add_classes({"first": {"big": 1}, **described})
    assert model.class_count == C + 100 and (model.score(arrays[0]) == before).all()
    model.add_classes({})
    models = unseen.train("dem", data, seeds=[1, 2], settings={"epochs": 1})
    models.add_classes({"my beast": {"big": 1}, "yours": {"small": 1}})
    assert all(m.class_names[-2:] == ["my beast", "yours"] for m in models)


def test_whoever_waits_is_told_and_may_stop(birds):
    with unseen.Dataset(birds) as data:
        model = unseen.train("eszsl", data, features="descriptor-1")
        model.attach_backbone()
        paths = [birds / "images" / name for name in data.image_names[:3]]
        for call in (lambda told: model.features(paths, progress=told),
                     lambda told: model.explain(paths[0], progress=told),
                     lambda told: data.check(progress=told)):
            heard = []
            call(heard.append)
            assert heard and heard[-1].done == heard[-1].total > 0

            def refuse(_progress):
                raise KeyError("enough")
            with pytest.raises(KeyError, match="enough"):
                call(refuse)
            call(None)
