#!/bin/sh
# What makes two trainings one: "already trained" and checkpoints compare all of it, and say what
# differs.
. "$(dirname "$0")/common.sh"
old=$(cd "$(dirname "$0")/../data/v0.1" && pwd) || exit 1
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
again 'the precision (was "f32", is "bf16")' --precision bf16

# A model that another version of the program made.
LC_ALL=C sed 's/"version":"0\.[0-9]*\.[0-9]*"/"version":"0.0.9"/g; s/\\"version\\":\\"[0-9.]*\\"/\\"version\\":\\"0.0.9\\"/g' \
    first.model >older.model
if cmp -s first.model older.model; then fail "no version in the model"; fi
cp older.model a.model
expect 0 'the version of this program (was "0.0.9"' $train --resume

# Changed features under the same name, changed descriptions under the same name.
cp toy/features/toy.safetensors kept.safetensors
"$tools/make_dataset" scaled 30 32 2 || fail "make_dataset"
cp scaled/features/toy.safetensors toy/features/toy.safetensors
again "the values of the feature set"
cp kept.safetensors toy/features/toy.safetensors
cp first.model a.model
expect 0 "already trained" $train --resume

# Changed descriptions, labels and folds of the data set under the same names.
cat >change.py <<'END'
import json, struct, sys
path, what, changed = "toy/dataset.safetensors", sys.argv[1], False
data = bytearray(open(path, "rb").read())
size, = struct.unpack("<Q", data[:8])
header = json.loads(data[8:8 + size])
def place(name):
    begin, end = header[name]["data_offsets"]
    letter = {"F32": "f", "I32": "i", "I64": "q"}[header[name]["dtype"]]
    return 8 + size + begin, "<%d%s" % ((end - begin) // struct.calcsize(letter), letter)
def read(name):
    at, form = place(name)
    return list(struct.unpack_from(form, data, at))
def write(name, values):
    at, form = place(name)
    struct.pack_into(form, data, at, *values)
labels = read("labels")
if what == "labels":  # two test images of seen classes change places
    tested = read("split.test_seen")
    i, j = next((i, j) for i in tested for j in tested if labels[i] != labels[j])
    labels[i], labels[j] = labels[j], labels[i]
    write("labels", labels)
elif what == "folds":  # two images of one class are trained on and measured the other way round
    train, seen = read("fold.0.train"), read("fold.0.seen")
    i, j = next((i, j) for i in range(len(train)) for j in range(len(seen))
                if labels[train[i]] == labels[seen[j]])
    train[i], seen[j] = seen[j], train[i]
    write("fold.0.train", sorted(train))
    write("fold.0.seen", sorted(seen))
else:
    values = read(what)
    j = next(j for j in range(len(values)) if values[j] != values[0])
    values[0], values[j] = values[j], values[0]
    write(what, values)
open(path, "wb").write(data)
END
if [ -x /usr/bin/python3 ]; then
    cp toy/dataset.safetensors whole.safetensors
    for case in "semantics.att=the description of the classes" "labels=the labels" \
        "folds=the validation folds"; do
        /usr/bin/python3 change.py "${case%%=*}" || fail "${case%%=*} were not changed"
        again "${case#*=}"
        cp whole.safetensors toy/dataset.safetensors
    done
    cp first.model a.model
    expect 0 "already trained" $train --resume
else
    left_out "changed descriptions, labels and folds: no python3"
fi

# A model of version 0.1 has no identity: what it tells is compared.
cp "$old/eszsl.model" old.model
expect 0 "already trained" "$unseen" train eszsl --data "$old/maps" -o old.model \
    --precision f32 --resume
cmp "$old/eszsl.model" old.model || fail "a model of version 0.1 was written again"
expect 0 "of another training, which differs in the seed" "$unseen" train eszsl --data "$old/maps" \
    -o old.model --precision f32 --seed 7 --resume
# It has the figures that the test sets chose under the name of validation; they are not told so.
cp "$old/eszsl_on_test.model" old.model
expect 0 "already trained" "$unseen" train eszsl --data "$old/maps" -o old.model \
    --precision f32 --select test --resume --json old.json
tr -d '\n ' <old.json >flat.json
grep -q '"validation":null' flat.json || fail "figures of validation: $(cat flat.json)"
grep -q '"selected_on_test":{"gamma":' flat.json || fail "no figures of the test sets: $(cat flat.json)"

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
# One log for two: the second is told, and the first one's is not cut.
until [ -s l.csv ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
kill -STOP $pid
cp l.csv before.csv
expect 1 "another training is writing the log l.csv" $slow --data big -o other.model --log l.csv
cmp before.csv l.csv || fail "the log of another training was cut"
[ -e other.model ] && fail "a training without its log was done"
kill -CONT $pid
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
[ -e l.model.lock ] || fail "a killed training removed its lock: nothing is tested of it"
# A killed one keeps nobody out, and its lock goes with the next.
expect 0 "" "$unseen" train dem --data toy --features toy --epochs 1 -o l.model --resume -q
[ -e l.model.lock ] && fail "the lock was left"
ls ./*.curves* >/dev/null 2>&1 && fail "curves were left"

# Into a pipe or a device: no file is placed beside it, whether the training ends or is stopped.
mkdir odd || fail "mkdir"
mkfifo odd/pipe || fail "mkfifo"
cat odd/pipe >through.model &
reader=$!
expect 0 "" "$unseen" train dem --data toy --features toy --epochs 3 --precision f32 -o odd/pipe -q \
    --checkpoint-every 0.001
wait $reader
cmp first.model through.model || fail "a model through a pipe differs"
"$unseen" train dem --data toy --features toy --epochs 3 --precision f32 -o /dev/stdout -q \
    --checkpoint-every 0.001 --json result.json >whole.model 2>err
ls /dev/stdout.* 2>/dev/null && fail "files were placed beside /dev/stdout"
$slow --data big -o odd/pipe --log odd.csv --checkpoint-every 0.001 >/dev/null 2>err &
pid=$!
until [ -s odd.csv ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
kill -TERM $pid
wait $pid && fail "a stopped training ended well"
grep -q "the state is not kept, because odd/pipe is no file" err || fail "stopped: $(cat err)"
if mknod odd/null c 1 3 2>/dev/null; then
    expect 0 "" "$unseen" train dem --data toy --features toy --epochs 2 -o odd/null -q \
        --checkpoint-every 0.001 --resume
    [ -c odd/null ] || fail "a device was replaced"
else
    left_out "training into a device: no device nodes can be made here"
fi
[ "$(ls odd)" = pipe ] || [ "$(ls odd | tr '\n' ' ')" = "null pipe " ] ||
    fail "files were placed beside a pipe or device: $(ls odd)"

# How bf16 was multiplied stands in the model: sums are other ones on another way.
"$tools/make_dataset" ways 60 64 || fail "make_dataset"
for way in tiles portable; do
    UNSEEN_ISA=$way "$unseen" train dem --data ways --epochs 1 --precision bf16 -q -o $way.model >/dev/null || fail "$way"
    expect 0 "\"bf16_way\": \"$way\"" "$unseen" inspect $way.model
    # These are no faster in bf16, whatever else the processor has: auto is f32.
    UNSEEN_ISA=$way "$unseen" train dem --data ways --epochs 1 -q -o auto.model >/dev/null || fail "auto, $way"
    expect 0 '"precision": "f32"' "$unseen" inspect auto.model
done
"$unseen" train dem --data ways --epochs 1 --precision f32 -q -o f32.model >/dev/null || fail "f32"
inspected=$("$unseen" inspect f32.model)
case $inspected in *bf16_way*) fail "a model in f32 names a way of bf16" ;; esac
finish
