#!/bin/sh
# Importing folders of pictures by the program: a user's own, and the real CUB of 50 classes.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1

for class in ant bee cat dog elk fox gnu hen; do
    mkdir -p "own/$class/more"
    for i in 1 2 3 4 5; do
        printf "\377\330\377 %s" "$class $i" >"own/$class/$i.jpg"
        printf "\377\330\377 deep %s" "$class $i" >"own/$class/more/$i.PNG"
    done
done
cat >classes.csv <<END
class,legs,wings,"horns, big",size
ant,.6,.1,0,.01
bee,.6,.4,0,.02
cat,.4,0,0,.3
dog,.4,0,.1,.5
elk,.4,0,1,.9
fox,.4,0,0,.4
gnu,.4,0,.9,.8
hen,.2,.2,0,.2
END
expect 0 "8 (6 seen, 2 unseen)" "$unseen" import folder own --attributes classes.csv -o a
expect 0 "lists         trainval 48, test_seen 12, test_unseen 20" "$unseen" check a
expect 0 "the split was proposed, seed 1" "$unseen" check a
expect 0 "pictures      $scratch/own" "$unseen" check a
expect 0 "0 errors, 0 warnings" "$unseen" check a
expect 0 "image_root: $scratch/own" "$unseen" inspect a
expect 0 "" "$unseen" import folder own --attributes classes.csv -o b --write-splits s.json -q
cmp -s a/dataset.safetensors b/dataset.safetensors && fail "the names of the data sets should differ"
expect 0 "" "$unseen" import folder own --attributes classes.csv --splits s.json --name a -o c -q
hash=$("$unseen" check a | grep '^split')
[ "$hash" = "$("$unseen" check c | grep '^split')" ] || fail "a written split is another when read"
expect 0 '"fox", "hen"' "$unseen" import folder own --attributes classes.csv --unseen fox,hen -o d
expect 1 'did you mean "fox"' "$unseen" import folder own --attributes classes.csv --unseen fax -o e
expect 1 "line 3, column 2" sh -c "printf 'c,x\nant,1\nbee,\n' >bad.csv;
    '$unseen' import folder own --attributes bad.csv -o e"
expect 2 "--attributes is missing" "$unseen" import folder own -o e
expect 2 "--output is missing" "$unseen" import folder own --attributes classes.csv
expect 2 "--unseen-count wants" "$unseen" import folder own --attributes classes.csv \
    --unseen-count two -o e
expect 1 "cannot" "$unseen" import folder own --attributes classes.csv --write-splits no/s.json -o e
[ -e e ] && fail "a failed import left a directory"
for format in cub awa2 folder arrays xlsa17 region-maps; do
    expect 0 "default" "$unseen" import $format --help
done
rm own/ant/1.jpg
expect 0 "1 of 80 pictures cannot be read" "$unseen" check a

# Region maps that name their images: the files are found below a folder.
for python in /usr/bin/python3 python3 none; do
    "$python" -c 'import h5py, numpy' 2>/dev/null && break
done
if [ "$python" != none ]; then
    "$python" - <<'END' || fail "h5py could not write region maps"
import h5py
import numpy as np

kinds = ["bee", "cat", "dog", "elk"]
with h5py.File("maps.hdf5", "w") as f:
    f["feature_map"] = np.random.default_rng(1).random((40, 3, 2, 2), dtype="f4")
    f["labels"] = np.repeat(np.arange(4), 10)
    f["att"] = np.eye(4) + 0.1
    f["trainval_loc"] = [i for i in range(30) if i % 10 < 8]
    f["test_seen_loc"] = [i for i in range(30) if i % 10 >= 8]
    f["test_unseen_loc"] = list(range(30, 40))
    text = h5py.string_dtype("utf-8")
    f.create_dataset("allclasses_names", data=kinds, dtype=text)
    names = ["/their//disk/%s/%s%d.%s" % (kinds[i // 10], "" if i % 10 < 5 else "more/", i % 5 + 1,
                                          "jpg" if i % 10 < 5 else "PNG") for i in range(40)]
    f.create_dataset("image_files", data=names, dtype=text)
END
    expect 0 "pictures      $scratch/own" "$unseen" import region-maps maps.hdf5 --images own -o maps
    expect 0 "0 errors, 0 warnings" "$unseen" check maps
    expect 1 "40 of 40 images have no file" "$unseen" import region-maps maps.hdf5 --images a -o maps2
else
    left_out "region maps with pictures: h5py is not installed"
fi

if [ -d "${UNSEEN_SHARED:-}/data/cub50" ]; then
    data=$UNSEEN_SHARED/data
    expect 0 "trainval 1837, test_seen 460, test_unseen 592" "$unseen" import cub "$data/cub50" \
        --splits "$data/xlsa17/CUB/att_splits.mat" -o cub
    expect 0 "40 seen, 10 unseen" "$unseen" check cub
    expect 0 "15 marked by points" "$unseen" check cub
    expect 0 "0 errors, 0 warnings" "$unseen" check cub
    expect 0 "parts: 15, by points" "$unseen" inspect cub
    expect 0 "width 300" "$unseen" import cub "$data/cub50" --tensor cub \
        --word-vectors "$UNSEEN_SHARED/weights/attribute_word2vec_300d.safetensors" -o cubw
    # The published features' images, found among the pictures that are here.
    expect 1 "8899 of 11788 images have no file" "$unseen" import xlsa17 -o full \
        --features "$data/xlsa17/CUB/vgg_fc7.mat" --splits "$data/xlsa17/CUB/att_splits.mat" \
        --images "$data/cub50"
else
    left_out "the real CUB: no data at ${UNSEEN_SHARED:-(unset)}"
fi
finish
