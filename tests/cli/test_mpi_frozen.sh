#!/bin/sh
# States of a frozen image side that are kept in bf16 give other bytes than ones that are computed
# anew: all ranks take the states that rank 0 has kept or, where it could not, none does.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/mpi.sh"
cd "$scratch" || exit 1
driver=$tools/unseen_faults.so
if [ ! -e "$driver" ]; then
    left_out "a rank that cannot keep or read states: a sanitizer has calls of its own"
    finish
fi
"$tools/make_pictures" own || fail "make_pictures"
expect 0 "seen" "$unseen" import folder own --attributes own.csv --unseen "blue blue,red green" -o d -q
expect 0 "pixels-1-32" "$unseen" extract --backbone builtin:pixels --image-size 32 --data d -q
train="train duet --data d --features pixels-1-32-regions --set hidden=16 --set heads=2 --set inner=24
    --set text_layers=1 --set batch=8 --set max_length=48 --threads 1"
vit="--set patch=4 --set image_hidden=64 --set image_heads=1 --set image_inner=96 --set image_layers=3
    --set distilled=no"
expect 0 "T1" "$unseen" $train -q $vit --epochs 1 --select none -o donor.model
mkdir weights
mv donor.model weights/vit.safetensors
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' head tail color red green blue ':' ',' '|' '.' \
    >weights/vocab.txt
train="$train --set image_weights=$scratch/weights/vit.safetensors --set vocab=$scratch/weights/vocab.txt
    --freeze-backbone --set keep_states=bf16 --epochs 1"
train=$(echo $train) # one line
: >d/states
"$unseen" $train -o none.model >/dev/null 2>&1 || fail "one process without states"
rm d/states
"$unseen" $train -o kept.model >/dev/null 2>&1 || fail "one process with states"
cmp -s none.model kept.model && fail "the test sees no difference: states in bf16 change nothing"
well="exec '$ranked' $train -o two.model"
ill="exec env LD_PRELOAD='$driver' UNSEEN_FAULT=open:1:EIO UNSEEN_FAULT_PATH=/states/ '$ranked' $train -o two.model"

expect 0 "T1" two "$well" "$well"
cmp kept.model two.model || fail "ranks with states make another model"
rm -r d/states two.model
expect 0 "computed anew for every use" two "$ill" "$well"
cmp none.model two.model || fail "rank 0 could not keep states, and another rank used some"
there d/states/*.safetensors && fail "another rank made states after rank 0 could not"
rm two.model
rm -rf d/states
expect 1 "rank 1 on" two "$well" "$ill"
case $output in *"/states/"*) ;; *) fail "it does not say what rank 1 could not read: $output" ;; esac
there two.model && fail "a rank without states made a model with one that had them"
finish
