#!/bin/bash
# The same pictures listed in another order have the same features, whatever else is in their batch.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$unseen" import tinybirds --images-per-class 9 --size 64 -o birds >/dev/null 2>&1 || { echo "FAILED: import"; exit 1; }
echo "class,red,large,crest,white" >kinds.csv
n=0
for folder in $(find birds/images -mindepth 1 -maxdepth 1 -type d | LC_ALL=C sort | head -6); do
    n=$((n + 1))
    mkdir -p one/kind$n other/kind$n
    for picture in "$folder"/*.png; do
        name=$(basename "$picture" .png)
        cp "$picture" one/kind$n
        cp "$picture" other/kind$n/$((999 - 10#$name)).png # the last is the first
    done
    echo "kind$n,0.$n,0.$((9 - n)),0.$((n * 3 % 7)),0.$((n * 5 % 9))" >>kinds.csv
done
for set in one other; do
    "$unseen" import folder $set --attributes kinds.csv --unseen kind1 --name d -q -o $set.d >/dev/null || fail import
done

# same NAME BACKBONE OPTION...: extracts from both, then makes the features of the second from the rows of the first.
same() {
    name=$1 backbone=$2
    shift 2
    for set in one other; do
        "$unseen" extract --backbone "$backbone" --image-size 64 --name $name --batch 7 --data $set.d -q "$@" \
            >/dev/null || fail "extract $name"
    done
    cmp -s one.d/features/$name.safetensors other.d/features/$name.safetensors && fail "$name: the order is the same"
    rm -rf sorted.d
    cp -r one.d sorted.d
    expect 0 "$name: 54 x" "$unseen" import folder other --attributes kinds.csv --unseen kind1 --name d -q \
        -o sorted.d --update
    cmp sorted.d/features/$name.safetensors other.d/features/$name.safetensors || fail "$name: the order changes features"
}
same pooled builtin:descriptor --pooled
same regions builtin:descriptor --regions
network=${UNSEEN_SHARED:-}/weights/mobilenet_v2.safetensors
if [ -e "$network" ]; then
    same network "$network" --pooled
else
    left_out "a network: no weights"
fi
finish
