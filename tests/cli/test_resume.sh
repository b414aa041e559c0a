#!/bin/sh
# A run that is stopped or killed and resumed ends with the bytes of one that was not.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_dataset" toy 100 256 || fail "make_dataset"
train="$unseen train dem --data toy --epochs 60 --set hidden=256 --quiet"

$train -o whole.model --log whole.csv >/dev/null || fail "uninterrupted run"

# stamp FILE: changes whenever the file is replaced
stamp() { stat -c '%i %Y' "$1" 2>/dev/null; }

# kill -9 right after a new checkpoint, six times; then the run may end.
kills=0
i=0
while [ $i -lt 6 ] && [ ! -e killed.model ]; do
    i=$((i + 1))
    before=$(stamp killed.model.checkpoint)
    $train -o killed.model --log killed.csv --resume --checkpoint-every 0.1 >/dev/null 2>err &
    pid=$!
    while kill -0 $pid 2>/dev/null && [ "$(stamp killed.model.checkpoint)" = "$before" ]; do
        sleep 0.01
    done
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    [ $? = 137 ] && kills=$((kills + 1))
    [ -s err ] && { fail "a resumed run said: $(cat err)"; break; }
    # Nothing half-written may stand under a final name.
    if [ -e killed.model ]; then "$unseen" inspect killed.model >/dev/null || fail "half a model"; fi
done
[ -e killed.model ] || $train -o killed.model --log killed.csv --resume >/dev/null || fail "resume"
cmp whole.model killed.model || fail "killed and resumed ($kills kills) differs"
echo "kill -9: $kills kills in $i starts"
[ "$kills" -gt 0 ] || fail "no run was killed: the test is too fast"
cut -d, -f1-13 whole.csv >a.csv
cut -d, -f1-13 killed.csv >b.csv
cmp a.csv b.csv || fail "the logs differ"

# A polite stop writes a checkpoint, says so, and ends with 1.
interrupted TERM stopped.csv stopped.model \
    $train -o stopped.model --log stopped.csv --checkpoint-every 0
grep -q -- "--resume" interrupted || fail "a stopped run did not say how to go on: $(cat interrupted)"
[ -s stopped.model.checkpoint ] || fail "no checkpoint"
expect 1 "--resume" $train -o stopped.model
expect 1 "another training" $train -o stopped.model --resume --set lr=0.01
$train -o stopped.model --resume >/dev/null || fail "resume"
cmp whole.model stopped.model || fail "stopped and resumed differs"
[ -e stopped.model.checkpoint ] && fail "the checkpoint was not removed"

# Ways to multiply bf16 differ by rounding: in bf16 a run goes on in its own, in f32 in any.
bf16="$train --precision bf16"
UNSEEN_ISA=portable $bf16 -o way-whole.model >/dev/null || fail "bf16"
interrupted TERM way.csv way.model \
    env UNSEEN_ISA=portable $bf16 -o way.model --log way.csv --checkpoint-every 0
UNSEEN_ISA=tiles expect 1 'UNSEEN_ISA, the way to multiply bf16 (was "portable", is "tiles")' \
    $bf16 -o way.model --resume
cp way.model.checkpoint other.model.checkpoint
UNSEEN_ISA=portable $bf16 -o way.model --resume >/dev/null || fail "resuming in bf16"
cmp way-whole.model way.model || fail "bf16, stopped and resumed, differs"
# A checkpoint of before does not name its way.
LC_ALL=C sed 's/\\"bf16_way\\":\\"portable\\",/                          /' other.model.checkpoint >old
cmp -s old other.model.checkpoint && fail "the checkpoint does not name its way"
[ $(wc -c <old) = $(wc -c <other.model.checkpoint) ] || fail "the old checkpoint has another size"
mv old other.model.checkpoint
UNSEEN_ISA=portable $bf16 -o other.model --resume >/dev/null || fail "resuming without a way"
cmp way-whole.model other.model || fail "bf16, resumed without a way, differs"
interrupted TERM any.csv any.model \
    env UNSEEN_ISA=portable $train -o any.model --precision f32 --log any.csv --checkpoint-every 0
UNSEEN_ISA=tiles $train -o any.model --precision f32 --resume >/dev/null || fail "f32 in another way"
$train --precision f32 -o whole32.model >/dev/null || fail "f32"
cmp whole32.model any.model || fail "f32, resumed in another way, differs"

# Statistics that steps keep beside their weights go on, too: both are in the checkpoint.
train="$unseen train cnzsl --data toy --epochs 40 --set hidden=128 --set batch=64 --quiet"
$train -o running.model >/dev/null || fail "cnzsl"
interrupted KILL running-killed.model.checkpoint running-killed.model \
    $train -o running-killed.model --checkpoint-every 0.001
$train -o running-killed.model --resume >/dev/null || fail "resuming cnzsl"
cmp running.model running-killed.model || fail "cnzsl, killed and resumed, differs"

# A closed form, killed between two points of its grid, which it tries whole or searches.
for search in whole local; do
    train="$unseen train eszsl --data toy --quiet --set search=$search"
    $train -o form-$search.model >/dev/null || fail "a closed form, $search"
    interrupted KILL form-killed.model.checkpoint form-killed.model \
        $train -o form-killed.model --checkpoint-every 0.001
    $train -o form-killed.model --resume >/dev/null || fail "resuming a closed form, $search"
    cmp form-$search.model form-killed.model || fail "a closed form, killed and resumed, differs, $search"
    [ -e form-killed.model.checkpoint ] && fail "the closed form's checkpoint was not removed"
    rm -f form-killed.model*
done

# One with experts of groups, killed within a training whose steps draw images anew.
"$tools/make_region_set" maps 200 9 16 12 12 || fail "make_region_set"
train="$unseen train dedn --data maps --epochs 8 --quiet"
$train -o experts.model >/dev/null || fail "dedn"
interrupted KILL experts-killed.model.checkpoint experts-killed.model \
    $train -o experts-killed.model --checkpoint-every 0.001
$train -o experts-killed.model --resume >/dev/null || fail "resuming dedn"
cmp experts.model experts-killed.model || fail "dedn, killed and resumed, differs"

ls *.tmp-* 2>/dev/null | grep -v '^killed' && fail "temporary files were left"
finish
