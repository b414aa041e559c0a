"""Trains on arrays, evaluates, saves, adds a class and asks about a feature vector."""
import sys

import numpy as np
import unseen

rng = np.random.default_rng(1)
names = ["big", "small", "furry", "winged", "wet", "loud"]
attributes = rng.random((12, len(names)))  # 12 classes, each described by 6 values from 0 to 1
labels = np.arange(600) % 12
features = attributes[labels] @ rng.normal(size=(6, 16)) + 0.2 * rng.normal(size=(600, 16))
data = unseen.Dataset.from_arrays(features, labels, attributes, attribute_names=names, unseen=3)
model = unseen.train("dem", data, settings={"epochs": 20})
print(model.evaluate(data))
model.save(sys.argv[1] if len(sys.argv) > 1 else "arrays.model")
model.add_class("my beast", {"big": 0.9, "furry": 0.8, "loud": 1})
print(model.class_names[model.score(features[0]).argmax()])
