#!/bin/bash
# On a terminal, lines are broken between words at its width; elsewhere not at all.
. "$(dirname "$0")/common.sh"
if ! command -v script >/dev/null || ! script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    echo "skipped: no script(1), which makes a terminal"
    exit 77
fi
cd "$scratch" || exit 1
"$tools/make_dataset" toy || fail "make_dataset"
"$unseen" train eszsl --data toy -o m.model -q --threads 1 >/dev/null || fail "training"
long=$(printf 'word%.0s' $(seq 30)) # a name longer than the terminal is wide
mkdir "$long" && cp m.model "$long/m.model"

# on COLUMNS COMMAND: what it says on a terminal so wide, without carriage returns
on() {
    script -qec "stty cols $1 rows 24; $2" /dev/null </dev/null 2>&1 | tr -d '\r'
}
words() { tr -s ' \n' '\n\n' | sed '/^$/d; s/^[0-9]*\.[0-9]*$/NUMBER/'; } # times differ

for command in "check toy" "train eszsl --help" "inspect m.model" "eval nothing-$long" \
    "check toy --json nowhere/x" "train eszsl --settings" "eval $long/m.model --data toy"; do
    sh -c "\"$unseen\" $command" 2>&1 </dev/null | words >plain
    for columns in 80 60; do
        on $columns "\"$unseen\" $command" >terminal
        words <terminal >kept
        cmp -s plain kept || fail "$command at $columns columns lost or broke a word:
$(diff plain kept | head -5)"
        # Only a word that fills a line by itself may be wider.
        while IFS= read -r line; do
            [ ${#line} -le $columns ] && continue
            set -f
            set -- $line
            set +f
            widest=0
            for word; do [ ${#word} -gt $widest ] && widest=${#word}; done
            [ $((widest + 12)) -gt $columns ] ||
                fail "$command: ${#line} columns on $columns: $line"
        done <terminal
    done
done
on 80 "\"$unseen\" check toy --json nowhere/x" >terminal
[ "$(wc -l <terminal)" -gt 1 ] || on 30 "\"$unseen\" check toy --json nowhere/x" >terminal
[ "$(wc -l <terminal)" -gt 1 ] || fail "no line was broken: nothing was tested"

# What is for a program is not broken, so that it can be copied.
"$unseen" import tinybirds -o birds --size 64 --images-per-class 5 -q >/dev/null || fail "import"
"$unseen" extract --data birds --backbone builtin:descriptor --pooled -q >/dev/null || fail "extract"
"$unseen" train eszsl --data birds --select none --set gamma=1 --set lambda=1 -o b.model -q \
    >/dev/null || fail "train"
picture="a bird with a name of many words that fits into no line of such a terminal.png"
cp "$(find birds/images -name '*.png' | head -1)" "$picture"
for command in "inspect b.model --json -" "predict b.model '$picture' --json -" \
    "predict b.model '$picture' --csv -"; do
    sh -c "\"$unseen\" $command" >plain 2>/dev/null </dev/null
    grep -q '[^ ] [^ ].\{30\}' plain || fail "$command has no line to break: nothing was tested"
    on 30 "\"$unseen\" $command 2>/dev/null" >terminal
    cmp plain terminal || fail "$command is not whole on a terminal: $(diff plain terminal | head -5)"
done
[ "$("$unseen" eval "nothing-$long" --data toy 2>&1 | wc -l)" = 1 ] ||
    fail "a line was broken where there is no terminal"
finish
