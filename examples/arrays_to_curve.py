# %% [markdown]
# # From arrays to a curve and an explanation
#
# Cells are marked as editors and Jupyter (jupytext) know them; `python3 arrays_to_curve.py` runs
# them all. First pictures of made-up kinds, so that nothing has to be fetched: each kind is a
# colour and a place, some are never shown.

# %%
import pathlib
import shutil
import struct
import subprocess
import tempfile
import zlib

import numpy as np
import unseen

COLOURS = {"red": (220, 40, 30), "green": (40, 160, 60), "blue": (40, 70, 200),
           "grey": (128, 128, 128)}
PLACES = {"left": (24, 48), "right": (72, 48), "above": (48, 24), "below": (48, 72)}
SIDE = 96
rng = np.random.default_rng(3)


def draw(colour, place):
    """(h, w, 3) uint8: a disc on a noisy ground."""
    x, y = np.array(PLACES[place]) + rng.integers(-6, 7, 2)
    ground = rng.integers(170, 256, (SIDE, SIDE, 3))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    disc = (columns - x) ** 2 + (rows - y) ** 2 < 18**2
    ground[disc] = np.clip(np.array(COLOURS[colour]) + rng.integers(-25, 26, 3), 0, 255)
    return ground.astype(np.uint8)


def write_png(path, pixels):
    """A PNG file, of which NumPy and zlib are all that is needed."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


kinds = [(colour, place) for colour in COLOURS for place in PLACES]
names = [f"{colour} {place}" for colour, place in kinds]
pictures = [draw(*kind) for kind in kinds for _ in range(24)]
labels = np.repeat(np.arange(len(kinds)), 24)

# %% [markdown]
# Features: here a coarse grid of mean colours, (R, F) = (36, 9) of each picture; anything that has
# vectors will do. What describes the kinds: which colour, which place.

# %%
def grid(pixels, cells=6):
    """(R, F): mean colour of a cell, where it is, and squares."""
    size = SIDE // cells
    means = pixels.reshape(cells, size, cells, size, 3).mean((1, 3)).reshape(-1, 3) / 255
    where = np.stack(np.mgrid[:cells, :cells], -1).reshape(-1, 2) / (cells - 1)
    return np.hstack([means, where, (1 - means) ** 2, np.ones((cells * cells, 1))])


features = np.stack([grid(picture) for picture in pictures]).astype(np.float32)
words = [*COLOURS, *PLACES]
attributes = np.array([[float(word in kind) for word in words] for kind in kinds])
data = unseen.Dataset.from_arrays(
    features, labels, attributes, grid=(6, 6), class_names=names,
    attribute_names=["colour::" + w if w in COLOURS else "place::" + w for w in words],
    unseen=["red left", "blue below", "green above"])
data

# %% [markdown]
# MSDN attends to regions. `evaluate` tests it on the kept pictures: T1 among unseen kinds alone,
# U and S among all.

# %%
model = unseen.train("msdn", data, settings={"epochs": 30, "lr": 0.002, "vectors": "one-hot"}, progress=True)
result = model.evaluate(data)
result

# %%
curve = result.curve  # U and S for every gamma; a notebook draws it
print(f"{len(curve.U)} points, area {result.AUSUC:.2f}")
curve

# %% [markdown]
# Where it read each attribute, for features of one's own: (branches, A, h, w).

# %%
attention = model.attention(features[0])
for word, seen in zip(words, attention.mean(0)):
    print(f"{word:6} at row, column {np.unravel_index(seen.argmax(), seen.shape)}")

# %% [markdown]
# Explanations show pictures, so their features must come from a backbone that the library has; the
# built-in descriptor needs no weights. A folder of pictures becomes a data set by the program.

# %%
explanation = None
if shutil.which("unseen"):
    folder = pathlib.Path(tempfile.mkdtemp())
    for i, picture in enumerate(pictures):
        kind = folder / "pictures" / names[labels[i]].replace(" ", "_")
        kind.mkdir(parents=True, exist_ok=True)
        write_png(kind / f"{i}.png", picture)
    lines = [",".join(["class", *words])] + [
        ",".join([name.replace(" ", "_"), *map(str, row)]) for name, row in zip(names, attributes)]
    (folder / "classes.csv").write_text("\n".join(lines) + "\n")
    subprocess.run(["unseen", "import", "folder", folder / "pictures", "--attributes",
                    folder / "classes.csv", "-o", folder / "data", "-q"], check=True)
    discs = unseen.Dataset(folder / "data")
    discs.extract(progress=True)
    seer = unseen.train("msdn", discs, features="descriptor-1-regions",
                        settings={"epochs": 3, "vectors": "one-hot"}, progress=True)
    seer.attach_backbone()
    explanation = seer.explain(folder / "pictures" / "red_left" / "0.png")
explanation
