#!/bin/sh
# A class of --classes that is spelt otherwise is the model's; rows that differ in spelling only
# are told.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_pictures" own || exit 1
expect 0 "7 seen, 2 unseen" "$unseen" import folder own --attributes own.csv \
    --unseen "blue blue,green red" -o d -q
expect 0 "descriptor-1" "$unseen" extract --backbone builtin:descriptor --data d --pooled -q
expect 0 "written to" "$unseen" train eszsl --data d --set gamma=1 --set lambda=1 --select none \
    -o m.model

# 9 classes stay 9, under the model's names.
for form in table list; do
    "$unseen" predict m.model own --top 20 --csv before.csv -q || fail "predict"
    if [ $form = table ]; then
        { head -n 1 own.csv; sed -n 's/^"green red"/Green_Red/p' own.csv; } >new.csv
    else
        attribute=$(head -n 1 own.csv | tr -d '"' | cut -d, -f2)
        printf 'Green_Red,%s=1\n' "$attribute" >new.csv
    fi
    grep -q Green_Red new.csv || fail "nothing is tested: $(cat new.csv)"
    expect 0 'spells otherwise: "Green_Red" for "green red"' "$unseen" predict m.model own \
        --classes new.csv --top 20 --csv after.csv
    grep -q Green_Red after.csv && fail "a second class in the $form"
    [ "$(wc -l <before.csv)" = "$(wc -l <after.csv)" ] || fail "more classes in the $form"
done

# Two new rows that differ in spelling only: two classes, and told.
{ head -n 1 own.csv; sed -n 's/^"green red"/x/p;s/^"blue blue"/X/p' own.csv; } >two.csv
expect 0 'differ in spelling only: "x" and "X"' "$unseen" predict m.model own --classes two.csv \
    --csv after.csv
printf 'x,%s=1\nX,%s=0.5\n' "$attribute" "$attribute" >two.csv
expect 0 'differ in spelling only: "x" and "X"' "$unseen" predict m.model own --classes two.csv \
    --csv after.csv
sed 's/^"green red"/"Blue Blue"/' own.csv >alike.csv
rm -r own/green*red
expect 0 'differ in spelling only: "Blue Blue" and "blue blue"' "$unseen" import folder own \
    --attributes alike.csv --unseen "Blue Blue" -o d2
finish
