#!/bin/sh
# DUET over a frozen vision transformer: its states are computed once, change nothing, and are
# not needed afterwards; nor are the files that training read.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_pictures" own || exit 1
expect 0 "7 seen, 2 unseen" "$unseen" import folder own --attributes own.csv \
    --unseen "blue blue,red green" -o d -q
expect 0 "pixels-1-32" "$unseen" extract --backbone builtin:pixels --image-size 32 --data d -q
size="--set hidden=16 --set heads=2 --set inner=24 --set text_layers=1 --set batch=8"
train="$unseen train duet --data d --features pixels-1-32-regions $size --set max_length=48"
vit="--set patch=4 --set image_hidden=64 --set image_heads=1 --set image_inner=96"
vit="$vit --set image_layers=3 --set distilled=no"
words() { printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' head tail color red green blue ':' ',' '|' '.'; }

# A model is a file of weights, too.
expect 0 "T1" $train -q $vit --epochs 1 --select none -o donor.model
mkdir weights
mv donor.model weights/vit.safetensors
words >weights/vocab.txt
files="--set image_weights=$scratch/weights/vit.safetensors --set vocab=$scratch/weights/vocab.txt"
loud="$train $files --freeze-backbone"
train="$loud -q"

# Three folds and the final run share a file; where there can be none, the model is the same.
: >d/states
expect 0 "computed anew for every use" $loud --epochs 2 -o plain.model
rm d/states
expect 0 "are kept in" $loud --epochs 2 -o a.model
[ "$(ls d/states)" = "$(cd d/states && ls *.safetensors)" ] || fail "states: $(ls d/states)"
[ "$(ls d/states | wc -l)" = 1 ] || fail "one file of states: $(ls d/states)"
cmp plain.model a.model || fail "kept states change the model"
before=$(cksum d/states/*)
expect 0 "T1" $train --epochs 2 -o b.model
cmp a.model b.model || fail "states that are taken up change the model"
[ "$before" = "$(cksum d/states/*)" ] || fail "the states were not taken up"
expect 0 "T1" $train --epochs 1 --select none --precision f32 -o f32.model
expect 0 "T1" $train --epochs 1 --select none --set keep_states=bf16 -o bf16.model
expect 0 "T1" $train --epochs 1 --select none --set std=0.5 -o std.model
[ "$(ls d/states | wc -l)" -ge 3 ] || fail "other states have other files: $(ls d/states)"
expect 0 "T1" $train --epochs 1 --select none --set visual_tokens=logit --set labels=5 -o l.model
expect 0 "features: 2" "$unseen" inspect d
expect 0 "0 errors" "$unseen" check d

# Stopped while the states are computed: the same command goes on.
rm -r d/states
interrupted INT "d/states/*.partial" "c.model c.model.checkpoint d/states/*.safetensors" $train --epochs 2 -o c.model
grep -q "of the frozen image side" interrupted || fail "not stopped in the states: $(cat interrupted)"
expect 0 "T1" $train --epochs 2 -o c.model --resume
cmp a.model c.model || fail "states that were interrupted change the model"
[ "$before" = "$(cksum d/states/*)" ] || fail "the states of the interrupted run differ"

# Killed in training; the files have moved meanwhile, and another file is another training.
slow="--epochs 20 --select none --set accumulate=2"
$train $slow -o whole.model >/dev/null || fail "whole"
interrupted KILL killed.model.checkpoint killed.model \
    $train $slow -o killed.model --checkpoint-every 0.02
mv weights elsewhere
files="--set image_weights=elsewhere/vit.safetensors --set vocab=elsewhere/vocab.txt"
cp elsewhere/vocab.txt kept.txt
printf 'more\n' >>elsewhere/vocab.txt
expect 1 "another training" $train $files $slow -o killed.model --resume
mv kept.txt elsewhere/vocab.txt
expect 0 "T1" $train $files $slow -o killed.model --resume
cmp whole.model killed.model || fail "resumed from files that have moved"
expect 0 "already trained" "$unseen" train duet --data d --features pixels-1-32-regions $size \
    --set max_length=48 --freeze-backbone $files $slow -o killed.model --resume

# The model alone: no states, no weights, no vocabulary, and no path of this machine.
rm -r elsewhere d/states
for model in a l killed; do
    expect 0 "T1" "$unseen" eval $model.model --data d --features pixels-1-32-regions -q
    expect 0 "seen" "$unseen" predict $model.model "own/red red/1.png" --top 1 -q
    expect 0 "written to" "$unseen" explain $model.model "own/red red/1.png" -o why-$model
    grep -q "$scratch" $model.model && fail "$model.model has a path in it"
done
expect 0 "masked attributes" "$unseen" eval a.model --data d --features pixels-1-32-regions --recovery -q
expect 0 '"name": "vit.safetensors"' "$unseen" inspect a.model
expect 0 '"image_weights": "vit.safetensors"' "$unseen" inspect a.model
expect 1 "cannot open elsewhere" $train $files --epochs 1 --select none -o z.model
finish
