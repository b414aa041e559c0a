#!/bin/sh
# What the program reads and writes does not depend on its user's locale: a decimal comma, and a
# language whose small I is not i.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
mkdir locales && export LOCPATH="$scratch/locales"
for name in de_DE tr_TR; do
    localedef -i $name -f UTF-8 "locales/$name.UTF-8" 2>/dev/null ||
        { echo "skipped: localedef, or its source of $name, is missing"; exit 77; }
done
"$tools/make_pictures" own || fail "make_pictures"
for picture in own/*/1.png; do mv "$picture" "${picture%.png}.TIFF"; done # endings are without case

for locale in C de_DE.UTF-8 tr_TR.UTF-8; do
    mkdir $locale && cd $locale || exit 1
    under() { LC_ALL=$locale expect 0 "" "$unseen" "$@"; }
    under import folder ../own --attributes ../own.csv --unseen "blue blue,red green" -o photos -q
    under extract --backbone builtin:descriptor --data photos --image-size 32 --pooled -q
    under train eszsl --data photos -o eszsl.model -q --threads 1
    under eval eszsl.model --data photos --json eval.json --curve curve.csv
    under predict eszsl.model ../own --csv answers.csv
    cd ..
done
[ "$(wc -l <C/answers.csv)" -gt 70 ] || fail "pictures are missing: $(wc -l <C/answers.csv)"
# same FILE: the same bytes, but for when and how fast it was made.
same() {
    [ -s "C/$1" ] || fail "C/$1 is missing"
    for locale in C de_DE.UTF-8 tr_TR.UTF-8; do
        bare=$locale/$(basename "$1").bare
        sed -e 's/[0-9-]*T[0-9:]*Z//g' -e 's/"[a-z_]*seconds": *[0-9.e+-]*//g' "$locale/$1" >"$bare"
        cmp "C/$(basename "$1").bare" "$bare" ||
            fail "$1 depends on the locale $locale"
    done
}
same photos/dataset.safetensors
same eszsl.model
same eval.json
same curve.csv
same answers.csv
finish
