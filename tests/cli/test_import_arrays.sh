#!/bin/sh
# Arrays that NumPy wrote: imported and learned; memory stays flat as they grow.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
python=
for candidate in /usr/bin/python3 python3; do
    "$candidate" -c 'import numpy' 2>/dev/null && python=$candidate && break
done
if [ -z "$python" ]; then
    echo "skipped: NumPy is not installed"
    exit 77
fi

"$python" - <<'END' || fail "NumPy could not write the arrays"
import json
import numpy as np

rng = np.random.default_rng(5)
C, A, F, per = 20, 12, 32, 30
att = (rng.random((C, A)) < 0.5) + 0.05 * rng.random((C, A))
labels = np.repeat(np.arange(C), per)
pooled = np.maximum(att[labels] @ rng.normal(size=(A, F)) + 0.3 * rng.normal(size=(C * per, F)), 0)
np.save("f4.npy", pooled.astype("<f4"))
np.save("big.npy", pooled.astype("<f4").astype(">f4"))
np.save("fortran.npy", np.asfortranarray(pooled.astype("<f4")))
np.savez("plain.npz", features=pooled.astype("<f4"), labels=labels)
np.savez_compressed("packed.npz", features=np.asfortranarray(pooled.astype("<f4")), labels=labels)
np.save("labels.npy", labels)
np.save("att.npy", att)
np.save("maps.npy", np.repeat(pooled[:, None, None, :], 2, axis=1).astype("f2"))
np.save("text.npy", np.array(["a", "b"]))
order = rng.permutation(len(labels))
split = {"classes": ["kind %d" % c for c in range(C)], "trainval": [], "test_seen": [],
         "test_unseen": [], "folds": [{"source": "mine", "classes": ["kind 0", "kind 1", "kind 2"]}]}
for i in order.tolist():
    role = "test_unseen" if labels[i] >= 15 else "trainval" if i % per < 24 else "test_seen"
    split[role].append(i)
json.dump(split, open("split.json", "w"))
np.save("long.npy", rng.random((1500, 40000), dtype="f4"))
np.save("longfortran.npy", np.asfortranarray(np.load("long.npy")))
np.savez_compressed("long.npz", np.load("long.npy")[:, :20000] > 0.5)
np.save("longlabels.npy", np.arange(1500) % 20)
END

common="--semantics att=att.npy --splits split.json"
for name in f4.npy big.npy fortran.npy plain.npz:features packed.npz:features; do
    rm -rf a
    # shellcheck disable=SC2086
    expect 0 "trainval 360, test_seen 90, test_unseen 150" "$unseen" import arrays \
        --features $name --labels labels.npy $common --name a --features-name f -o a
    expect 0 "0 errors, 0 warnings" "$unseen" check a
    # The file's source differs, the numbers may not.
    sum=$("$unseen" inspect a --json - | grep '"sha256"')
    [ -z "${first:-}" ] && first=$sum
    [ "$sum" = "$first" ] || fail "$name gives other features than f4.npy"
done
expect 0 "fold 1        3 classes play unseen" "$unseen" import arrays --features f4.npy \
    --labels packed.npz:labels --semantics att=att.npy --splits split.json -o b
expect 0 "T1" "$unseen" train dem --data b -o m --epochs 30 -q
expect 0 "T1" "$unseen" eval m --data b
expect 0 "600 x 2 x 32 BF16" "$unseen" import arrays --features maps.npy --labels labels.npy \
    --semantics att=att.npy --dtype bf16 -o c
expect 1 "numpy.unique" "$unseen" import arrays --features f4.npy --labels text.npy \
    --semantics att=att.npy -o d
expect 1 "name one of them" "$unseen" import arrays --features plain.npz --labels labels.npy \
    --semantics att=att.npy -o d
expect 2 "--labels is missing" "$unseen" import arrays --features f4.npy --semantics a=att.npy -o d
[ -e d ] && fail "a failed import left a directory"

# 240 MB of features: what is not a file's own pages stays below 120 MB (64 of a step, and the
# program). AddressSanitizer keeps memory of its own, so it is not asked there.
if ! nm "$unseen" 2>/dev/null | grep -q __asan_init; then
    for name in long.npy longfortran.npy long.npz; do
        rm -rf l
        (ulimit -d 120000 && "$unseen" import arrays --features $name --labels longlabels.npy \
            --semantics att=att.npy --threads 1 -q -o l >/dev/null) || fail "$name needs too much memory"
    done
fi
finish
