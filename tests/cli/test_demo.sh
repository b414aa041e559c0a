#!/bin/sh
# The demo, shortened: every method to the end, commands that can be repeated as they are printed.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1

# Commands are printed as a shell takes them, also where the folder's name is awkward.
mkdir "it's a demo"
: >"it's a demo/birds"
expect 1 "\$ $unseen import tinybirds --images-per-class=5 -o 'it'\\''s a demo/birds'" \
    "$unseen" demo -o "it's a demo" --images-per-class 5
expect 2 "5 to 10000" "$unseen" demo --images-per-class 4
expect 2 "1 to 10000" "$unseen" demo --epochs 0

expect 0 "Look at 'a demo/report.html'" "$unseen" demo -o "a demo" --images-per-class 5 --epochs 1 \
    --full -q
demo=$output
for method in eszsl dem cnzsl msdn dedn duet duet-pixels; do
    [ -s "a demo/$method.model" ] || fail "no model of $method"
    echo "$output" | grep -q "^  $method  *[0-9.]*  *[0-9.]*" || fail "$method is not in the summary"
    grep -q "$method.model" "a demo/report.html" || fail "$method is not in the report"
done
grep -q 'Where attention points' "a demo/report.html" || fail "no localisation in the report"
[ "$(wc -c <"a demo/report.html")" -le 5242880 ] || fail "the report is too large"

echo "$demo" | grep -q "^Take [a-z]*: [0-9.]* on the fold" || fail "no advice: $demo"

# The commands to go on with begin with what this one was called by; and the figures do not depend
# on how the processor multiplies bf16.
echo "$demo" | grep -q "^  $unseen predict mine.model PHOTO.jpg" || fail "no next command: $demo"
for model in "a demo"/*.model; do
    expect 0 '"precision": "f32"' "$unseen" inspect "$model"
done
expect 0 "$(basename "$unseen") import folder PICTURES" env PATH="$(dirname "$unseen"):$PATH" \
    "$(basename "$unseen")" demo -o "a demo" --images-per-class 5 --epochs 1 -q

# What was printed runs: the line of the first training, again.
line=$(echo "$demo" | sed -n 's/^\$ \(.* train eszsl .*\)/\1/p')
rm "a demo/eszsl.model"
eval "expect 0 \"written to\" $line -q"
[ -s "a demo/eszsl.model" ] || fail "the printed command did not do what it did in the demo"
finish
