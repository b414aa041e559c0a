#!/bin/sh
# What makes two trainings one: "already trained" and checkpoints compare all of it, and say what
# differs.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_dataset" toy || fail "make_dataset"
value() { sed -n "s/^  \"$2\": \([-0-9.e]*\),*\$/\1/p" "$1" | head -1; }

# A second feature set of other values, and a second description of the classes.
"$tools/make_dataset" shuffled 30 16 3 || fail "make_dataset"
cp shuffled/features/toy.safetensors toy/features/other.safetensors
train="$unseen train dem --data toy --features toy --epochs 3 -o a.model --precision f32"
expect 0 "written" $train
cp a.model first.model
expect 0 "already trained" $train --resume
cmp a.model first.model || fail "a model that was already trained was written again"

# again DIFFERENCE OPTION...: another training is not "already trained", and gives what a fresh
# one gives.
again() {
    words=$1
    shift
    cp first.model a.model
    expect 0 "$words" "$unseen" train dem --data toy --features toy --epochs 3 --precision f32 \
        -o a.model --resume --json resumed.json "$@"
    case $output in *"already trained"*) fail "\"already trained\" with $*" ;; esac
    expect 0 "written" "$unseen" train dem --data toy --features toy --epochs 3 --precision f32 \
        -o fresh.model "$@"
    cmp a.model fresh.model || fail "resumed and fresh differ with $*"
}
again 'the feature set (was "toy", is "other")' --features other
again "the limit of steps (was 0, is 5)" --steps 5
again "the seed (was 1, is 2)" --seed 2
again "setting hidden (was 1600, is 64)" --set hidden=64
again 'what selects (was "validation", is "none")' --select none
again "setting semantics" --semantics att,att
if [ "$("$unseen" train dem --data toy --features toy --epochs 1 -o p.model --precision bf16 \
    >/dev/null 2>&1 && echo yes)" = yes ]; then
    again 'the precision (was "f32", is "bf16")' --precision bf16
fi

# Changed features under the same name, changed descriptions under the same name.
cp toy/features/toy.safetensors kept.safetensors
"$tools/make_dataset" scaled 30 32 2 || fail "make_dataset"
cp scaled/features/toy.safetensors toy/features/toy.safetensors
again "the values of the feature set"
cp kept.safetensors toy/features/toy.safetensors
cp first.model a.model
expect 0 "already trained" $train --resume

# A checkpoint compares the same and names the part.
"$tools/make_dataset" big 100 256 || fail "make_dataset"
cp -r big two
cp scaled/dataset.safetensors unused.safetensors
slow="$unseen train dem --features toy --epochs 300 --set hidden=512 --set patience=0 -q"
$slow --data big -o s.model --log s.csv --checkpoint-every 0 >/dev/null 2>err &
pid=$!
until [ -s s.csv ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
kill -TERM $pid
wait $pid
if [ ! -e s.model.checkpoint ]; then
    fail "no checkpoint: $(cat err)"
else
    expect 1 "setting lr (was " $slow --data big -o s.model --resume --set lr=0.01
    expect 1 "the seed (was 1, is 3)" $slow --data big -o s.model --resume --seed 3
    expect 1 "the limit of steps" $slow --data big -o s.model --resume --steps 9
fi

# Two trainings on one output: the second says so, and the first ends as if alone.
rm -f s.model.checkpoint
$slow --data big -o l.model --log l.csv --epochs 100000 >/dev/null 2>err &
pid=$!
until [ -e l.model.lock ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
if kill -0 $pid 2>/dev/null; then
    expect 1 "another training is writing l.model" $slow --data big -o l.model --epochs 100000
    expect 1 "another training is writing" $slow --data big -o l.model --epochs 100000 --resume
else
    fail "the training was over before a second one could try"
fi
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
[ -e l.model.lock ] || echo "the first training removed its lock"
# A killed one keeps nobody out, and its lock goes with the next.
expect 0 "" "$unseen" train dem --data toy --features toy --epochs 1 -o l.model --resume -q
[ -e l.model.lock ] && fail "the lock was left"
ls ./*.curves* >/dev/null 2>&1 && fail "curves were left"
finish
