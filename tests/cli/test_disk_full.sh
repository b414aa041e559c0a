#!/bin/bash
# A file that cannot be written whole: one sentence, status 1, nothing under the final name.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_dataset" toy || fail "make_dataset"

# ulimit counts blocks of 1024 bytes: room for the messages, not for the model
output=$( (ulimit -f 64; "$unseen" train dem --data toy -o m.model --epochs 2) 2>&1)
status=$?
[ $status = 1 ] || fail "a full disk ended with $status: $output"
case $output in
*"m.model"*) ;;
*) fail "no sentence about m.model: $output" ;;
esac
[ -e m.model ] && fail "half a model was left"
ls m.model.tmp-* 2>/dev/null && fail "a temporary file was left"

# An existing model survives a failed replacement.
"$unseen" train dem --data toy -o m.model --epochs 2 -q >/dev/null || fail "training"
cp m.model before
output=$( (ulimit -f 64; "$unseen" train dem --data toy -o m.model --epochs 3) 2>&1)
status=$?
[ $status = 1 ] || fail "a full disk under an old model ended with $status: $output"
case $output in *"m.model"*) ;; *) fail "no sentence about m.model: $output" ;; esac
cmp m.model before || fail "a failed run damaged the old model"

# Room for the model but not for checkpoints, which are three times as large: the training goes on
# and says so; only a training that is to stop needs its checkpoint.
"$tools/make_dataset" wide 100 256 || fail "make_dataset"
train="$unseen train dem --data wide --epochs 20 --set hidden=256 --set whiten=no --set patience=0 \
    --precision f32"
output=$( (ulimit -f 500; $train -o wide.model --checkpoint-every 0.01) 2>&1)
status=$?
[ $status = 0 ] || fail "a training without room for checkpoints ended with $status: $output"
case $output in
*"no checkpoint this time: "*) ;;
*) fail "no warning about checkpoints: $output" ;;
esac
[ -e wide.model ] || fail "no model"
ls wide.model.* 2>/dev/null && fail "something was left beside the model"
# One evaluation in so long a training: their curves need room as well.
(ulimit -f 500; exec $train -o stop.model --epochs 100000 --set evaluate_every=90000 \
    --checkpoint-every 0) >out 2>&1 &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
status=$?
[ $status = 1 ] || fail "a stop without room for the checkpoint ended with $status: $(cat out)"
grep -q "could not be kept: cannot " out || fail "no sentence about the lost state: $(cat out)"

# No room for the curves of the evaluations, from which the length of the training is chosen.
expect 1 "cannot write a scratch file beside curves.model: File too large" \
    sh -c "ulimit -f 100; exec $train -o curves.model --epochs 100000 -q"
[ "$(ls curves.model* 2>/dev/null)" = "" ] || fail "something was left: $(ls curves.model*)"

# A small tmpfs, where the system lets us mount one.
mkdir small
if mount -t tmpfs -o size=100k tmpfs small 2>/dev/null; then
    expect 1 "No space left" "$unseen" train dem --data toy -o small/m.model --epochs 2
    [ -z "$(ls small)" ] || fail "something was left on the full disk: $(ls small)"
    umount small
else
    left_out "no tmpfs can be mounted here"
fi
expect 1 "" sh -c "\"$unseen\" eval m.model --data toy --json - >/dev/full"
expect 1 "standard output" sh -c "\"$unseen\" check toy >/dev/full"
finish
