#!/bin/sh
# Two classes whose descriptions differ in length only: training says which.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_pictures" own || exit 1
sed -i 's/^"red blue",.*/"red blue",0.3,0,0,0,0.3,0/' own.csv
expect 0 "7 seen, 2 unseen" "$unseen" import folder own --attributes own.csv --scale none \
    --unseen "blue blue,green red" -o d -q
output=$("$unseen" check d 2>&1)
case $output in
*'"red green" and "red blue"'*) ;;
*) fail "check names no classes of one direction: $output" ;;
esac
expect 0 "descriptor-1" "$unseen" extract --backbone builtin:descriptor --data d --pooled -q
one="--set gamma=1 --set lambda=1 --select none"
said='"red green" and "red blue" are one to eszsl'
expect 0 "$said" "$unseen" train eszsl --data d $one -o m.model
expect 0 "written to" "$unseen" train eszsl --data d $one --set unit_classes=no -o m.model
case $output in *"are one to"*) fail "a warning where lengths count: $output" ;; esac
expect 0 "are one to" "$unseen" train eszsl --data d $one --semantics original_att -o m.model
finish
