#!/bin/sh
# Without --features a method takes the feature set that it can use, and says which.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_region_set" maps 240 4 8 10 12 || fail "make_region_set"
set -- maps/features/*.safetensors
[ $# = 1 ] || fail "one feature set was expected"
regions=$(basename "$1" .safetensors)
"$tools/make_dataset" toy 15 32 || fail "make_dataset" # 240 images of pooled features

# Regions only: DEM and ESZSL average them and say so, and the model goes on doing it.
for method in dem eszsl; do
    set -- "$unseen" train $method --data maps -o $method.model
    [ $method = eszsl ] || set -- "$@" --epochs 2
    expect 0 "the 4 regions of feature set $regions are averaged" "$@" --json train.json
    expect 0 "T1" "$unseen" eval $method.model --data maps --json eval.json
    [ "$(grep '"AUSUC"' train.json)" = "$(grep '"AUSUC"' eval.json)" ] ||
        fail "$method: eval and train differ on averaged regions"
done
expect 0 '"regions": "averaged"' "$unseen" inspect dem.model

# Both kinds, as extract makes them: each method takes its own.
cp toy/features/toy.safetensors maps/features/pooled.safetensors
expect 0 "training on feature set pooled" "$unseen" train dem --data maps -o a.model --epochs 1
expect 0 "training on feature set pooled" "$unseen" train eszsl --data maps -o a.model
expect 0 "training on feature set $regions" "$unseen" train msdn --data maps -o a.model --epochs 1
expect 0 '"features": "'$regions'"' "$unseen" inspect a.model
expect 1 "method msdn needs region features with these settings; feature set pooled holds pooled" \
    "$unseen" train msdn --data maps -o a.model --features pooled
expect 1 "method duet needs pixels with these settings; maps has none: $regions (region features)" \
    "$unseen" train duet --data maps -o a.model --set image_side=pixels

# Several that fit: a sentence that lists them.
cp toy/features/toy.safetensors maps/features/second.safetensors
expect 1 "choose one with --features: pooled, second" "$unseen" train dem --data maps -o a.model
expect 0 "T1" "$unseen" train dem --data maps -o a.model --features second --epochs 1
rm "maps/features/$regions.safetensors"
expect 1 "msdn needs region features with these settings; maps has none: pooled (pooled features)" \
    "$unseen" train msdn --data maps -o a.model
finish
