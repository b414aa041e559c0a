#!/bin/sh
# Knowledge-graph embeddings as a description of AWA2's classes, in every method, on generated
# features: the embeddings carry over to unseen classes, those of other classes do not.
. "$(dirname "$0")/common.sh"
need_shared
awa2=$UNSEEN_SHARED/data/xlsa17/AWA2
groups=$UNSEEN_SHARED/golden/duet_attribute_tables.json
names=$UNSEEN_SHARED/data/attribute_phrases/AWA2.csv
for file in "$awa2/kg_transe.mat" "$groups" "$names"; do
    [ -e "$file" ] || { echo "skipped: no $file"; exit 77; }
done
cd "$scratch" || exit 1
# T1 of 10 unseen classes: one in ten by chance.
carries_over() { check "$1" '>=' 0.25; }
is_chance() { check "$1" '<=' 0.2; }
check() {
    t1=$(sed -n 's/^  "T1": \([-0-9.e]*\),*$/\1/p' "$1" | head -1)
    awk "BEGIN{exit !(${t1:-2} $2 $3)}" || fail "$1: T1 is ${t1:-missing}, expected $2 $3"
}
"$tools/make_kg_set" "$awa2" "$awa2/kg_transe.mat" made 24 32 3 2 || fail "make_kg_set"
further="--splits $awa2/att_splits.mat --semantics kg=$awa2/kg_transe.mat --attributes $names -q
    --semantics other=made/kg_shuffled.mat"
expect 0 "kg: 50 x 100" "$unseen" import xlsa17 --features made/res101.mat $further \
    --semantics tree="$awa2/kg_attributes_hierarchy.mat" -o pooled
expect 0 "kg: 50 x 100" "$unseen" import region-maps made/maps.hdf5 $further -o maps
expect 0 "kg: 100 a class" "$unseen" check pooled
expect 0 "semantics kg: width 100" "$unseen" inspect maps
expect 1 "there are two semantics called" "$unseen" import region-maps made/maps.hdf5 $further \
    --semantics kg="$awa2/kg_transe.mat" -o twice
expect 1 "cannot be matched" "$unseen" import xlsa17 --splits "$awa2/../CUB/att_splits.mat" \
    --semantics kg="$awa2/kg_transe.mat" -o twice

run() {
    model=$1
    data=$2
    shift 2
    expect 0 "T1" "$unseen" train "${model%%-*}" --data "$data" -o "$model.model" --select none -q \
        --json "$model.json" "$@"
    expect 0 "T1" "$unseen" eval "$model.model" --data "$data" -q
    case $model in *-other) return ;; esac
    expect 0 "" "$unseen" report "$model.model" --data "$data" -o "$model.html" -q
    [ -s "$model.html" ] || fail "$model has no report"
}
for semantics in kg other; do
    run dem-$semantics pooled --semantics $semantics --epochs 1
    run eszsl-$semantics pooled --semantics $semantics --set gamma=1 --set lambda=1
    run msdn-$semantics maps --semantics $semantics --set vectors=one-hot --set lr=1e-3 --epochs 12
    run duet-$semantics maps --semantics $semantics,att --set text_semantics=att \
        --set groups="$groups" --set text_dataset=AWA2 --set hidden=32 --set heads=2 \
        --set inner=64 --set text_layers=1 --set max_length=64 --set lr=2e-3 --epochs 4
done
for method in dem eszsl msdn duet; do
    carries_over $method-kg.json
    is_chance $method-other.json
done
# Fused where the method can; else a sentence.
run dem-fused pooled --semantics att,kg --epochs 1
carries_over dem-fused.json
small="--set hidden=32 --set heads=2 --set inner=64 --set text_layers=1 --set max_length=64"
run duet-fused maps --semantics att,kg --set groups="$groups" --set text_dataset=AWA2 $small \
    --set lr=2e-3 --epochs 4
carries_over duet-fused.json
run duet-silent maps --semantics kg --set text=no $small --epochs 1
train="$unseen train"
expect 1 "MSDN takes one semantics" $train msdn --data maps --semantics att,kg -o x.model
expect 1 "ESZSL takes one semantics" $train eszsl --data maps --semantics att,kg -o x.model
expect 1 "vectors=one-hot" $train msdn --data maps --semantics kg -o x.model
expect 1 "text=no" $train duet --data maps --semantics kg -o x.model

# From pictures to an explanation.
expect 0 "kg: 50 x 100" "$unseen" import awa2 made/animals --semantics kg="$awa2/kg_transe.mat" \
    --word-vectors builtin:words -o animals -q
expect 0 "descriptor-1" "$unseen" extract --backbone builtin:descriptor --data animals -q
photo=made/animals/JPEGImages/horse/1.png
pooled="--features descriptor-1"
regions="--features descriptor-1-regions"
run dem-photo animals --semantics kg,att $pooled --epochs 2
run eszsl-photo animals --semantics kg $pooled --set gamma=1 --set lambda=1
run msdn-photo animals --semantics kg $regions --set vectors=one-hot --epochs 1
run duet-photo animals --semantics kg,att --set text_semantics=att $regions $small --epochs 1
for method in dem eszsl msdn duet; do
    expect 0 "seen" "$unseen" predict $method-photo.model $photo --top 1 -q
    expect 0 "kg " "$unseen" explain $method-photo.model $photo -o why-$method
    expect 0 '"kg"' "$unseen" inspect $method-photo.model
done
finish
