"""The files of other programs in tests/data/mat: python3-scipy, python3-h5py, python3-hdf5storage.

The files matio-*.mat there were written with libmatio. All hold the same small matrices:
features [6, 9] single, features[r, c] = (r + 6 c) / 4; att [6, 9] double, (r + 6 c) / 3; labels
1 … 9; names "cat", "Laysan_Albatross"; lines, a matrix of characters of the rows "abc " and "XY d".
"""
import os
import sys

import h5py
import hdf5storage
import numpy as np
import scipy.io
import scipy.sparse

out = sys.argv[1]
count = np.arange(54, dtype=np.float64).reshape(9, 6).T
names = np.empty((2, 1), dtype=object)
names[:, 0] = ["cat", "Laysan_Albatross"]
sample = dict(features=(count / 4).astype(np.float32), att=count / 3,
              labels=np.arange(1, 10, dtype=np.uint16).reshape(9, 1), names=names,
              lines=np.array(["abc ", "XY d"]))


def path(name):
    name = os.path.join(out, name)
    if os.path.exists(name):
        os.unlink(name)
    return name


scipy.io.savemat(path("scipy-v5.mat"), sample)
scipy.io.savemat(path("scipy-v5-packed.mat"), sample, do_compression=True)
scipy.io.savemat(path("scipy-v4.mat"), {k: sample[k] for k in ("features", "att")}, format="4")
nested = np.empty((1, 1), dtype=object)
nested[0, 0] = np.array(["ab", "cd"])
others = dict(sparse=scipy.sparse.csc_matrix(np.eye(3)), struct=dict(a=1, b="x"),
              complex=np.array([[1 + 2j]]), logical=np.array([[True, False, True]]),
              row=np.array([["a", "bc"]], dtype=object), number=7, empty=np.zeros((0, 3)),
              nested=nested)
scipy.io.savemat(path("scipy-others.mat"), others, do_compression=True)
hdf5storage.savemat(path("hdf5storage.mat"), sample, format="7.3", oned_as="column")
hdf5storage.write({k: v for k, v in sample.items() if k != "lines"}, filename=path(
    "hdf5storage-unmarked.mat"), matlab_compatible=False, store_python_metadata=False)

# h5py writes no marks; one array as MATLAB would turn it, the other as NumPy has it.
text = h5py.string_dtype()
for name, block in ("h5py.mat", 0), ("h5py-userblock.mat", 512):
    with h5py.File(path(name), "w", userblock_size=block) as f:
        f.create_dataset("features", data=sample["features"].T, compression="gzip", shuffle=True)
        f.create_dataset("att", data=sample["att"])
        f.create_dataset("labels", data=sample["labels"][:, 0])
        f.create_dataset("names", data=["cat", "Laysan_Albatross"], dtype=text)
        f.create_dataset("cells", (2,), dtype=h5py.ref_dtype)
        for i, name in enumerate(["cat", "Laysan_Albatross"]):
            f["cells"][i] = f.create_dataset("#refs#/%d" % i, data=np.array([ord(c) for c in name], dtype=np.uint16)).ref
        f.create_dataset("flags", data=np.array([True, False]))
