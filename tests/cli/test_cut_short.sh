#!/bin/bash
# A file that is cut short while it is mapped, and a line that cannot be had for lack of memory: one
# sentence and status 1, never a death and never the end of the file.
. "$(dirname "$0")/common.sh"
driver=$tools/unseen_faults.so
if [ ! -e "$driver" ]; then
    echo "skipped: under a sanitizer malloc cannot be replaced"
    exit 77
fi
cd "$scratch" || exit 1
export OMP_WAIT_POLICY=passive # the program would start itself anew
"$tools/make_dataset" toy || fail "make_dataset"
"$unseen" train eszsl --data toy -o whole.model -q --threads 1 >/dev/null || fail "training"
cp whole.model m.model

# driven FAULT COMMAND...
driven() {
    timeout 60 env LD_PRELOAD="$driver" UNSEEN_FAULT="$1" UNSEEN_FAULT_COUNT="$PWD/count" \
        "$unseen" "${@:2}" >out 2>err
}

# cut NAME COMMAND...: every map of the command is cut in turn, each in fresh copies of data and model
cut() {
    rm -rf d
    cp -r toy d
    driven "" "${@:2}" || fail "$1 under the driver: $(cat err)"
    maps=$(sed -n 's/^mmap //p' count) sentences=0
    [ "$maps" -gt 0 ] || fail "$1 maps nothing: nothing was tested"
    for ((n = 1; n <= maps; n++)); do
        rm -rf d w.model
        cp -r toy d
        cp whole.model m.model
        driven mmap:$n:cut "${@:2}"
        status=$?
        [ $status -le 1 ] || fail "$1 with map $n cut ended with $status: $(cat err)"
        grep -q "unseen: .* was cut short while it was read" err && sentences=$((sentences + 1))
        [ $status = 0 ] || [ "$(grep -c '^unseen: ..' err)" = 1 ] ||
            fail "$1 with map $n cut: no sentence: $(cat err)"
        [ $status = 0 ] || [ ! -e w.model ] || fail "$1 left a model"
        [ "$(ls -A | grep '^w.model' | grep -v '^w.model$')" = "" ] || fail "$1 left $(ls -A)"
    done
    [ $sentences -gt 0 ] || fail "$1: no map was cut in time"
}
cut eval eval m.model --data d
cut train train eszsl --data d -o w.model --threads 1
cut check check d
cut model inspect m.model
cp whole.model m.model

# The name of the file goes to a terminal like any other.
name=$(printf 'a\033[31m\nb')
mv toy "$name"
"$unseen" eval m.model --data "$name" >/dev/null || fail "eval"
cp -r "$name" kept
for ((n = 1; n <= 4; n++)); do
    rm -rf "$name"
    cp -r kept "$name"
    cp whole.model m.model
    driven mmap:$n:cut eval m.model --data "$name"
    grep -qF 'unseen: a\u001b[31m\u000ab/' err && break
done
grep -qF 'unseen: a\u001b[31m\u000ab/' err || fail "the name was not shown safely: $(cat err)"
mv kept toy

# ---- lines ----

"$unseen" import tinybirds -o t --size 64 --images-per-class 5 -q >/dev/null || fail "import"
"$unseen" extract --data t --backbone builtin:descriptor --pooled -q >/dev/null || fail "extract"
"$unseen" train eszsl --data t -o t.model -q --threads 1 >/dev/null || fail "training"
ls t/images/*/001.png | head -5 >list
driven "" predict t.model - --csv all.csv <list || fail "predict: $(cat err)"
[ "$(wc -l <all.csv)" -gt 5 ] || fail "the list was not read: nothing was tested"
lines=$(sed -n 's/^getline //p' count)
[ "$lines" -ge 5 ] || fail "only $lines lines were read"
for n in 1 3 $lines; do
    for reason in ENOMEM:memory EIO:"Input/output error"; do
        rm -f a.csv
        driven getline:$n:${reason%%:*} predict t.model - --csv a.csv <list
        status=$?
        [ $status = 1 ] || fail "line $n and ${reason%%:*}: predict ended with $status"
        grep -q "^unseen: .*${reason#*:}" err || fail "line $n: no sentence with its reason: $(cat err)"
        [ ! -e a.csv ] || fail "part of the list was taken for the whole"
    done
done
finish
