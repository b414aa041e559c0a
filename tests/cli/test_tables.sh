#!/bin/sh
# Tables of classes and attributes as people keep them: through import, training and --classes.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_pictures" own || exit 1

# Attributes in units of their own: a new class with the row of an old one scores as that.
awk 'NR == 1 { print $0 ",weight kg"; next } { print $0 "," 35 + (NR * 37) % 200 }' own.csv >units.csv
expect 0 'do not share a unit (attribute "weight kg" is' "$unseen" import folder own \
    --attributes units.csv --unseen "blue blue,red green" -o d
expect 0 "" "$unseen" extract --backbone builtin:descriptor --data d --pooled -q
expect 0 "written to" "$unseen" train eszsl --data d -o u.model -q
photo="own/blue blue/1.png"

# score CLASS ARGUMENTS...: what the photo scores as that class.
score() {
    class=$1
    shift
    "$unseen" predict u.model "$photo" --top 50 --csv - -q "$@" 2>err |
        awk -F, -v class="$class" '$3 == class { print $4 }'
}
old=$(score "blue blue")
[ -n "$old" ] || fail "no score of an old class"
row=$(grep '^"*blue blue"*,' units.csv)
{
    head -1 units.csv
    echo "$row" | sed 's/^"*blue blue"*/blue2/'
} >new.csv
[ "$(score blue2 --classes new.csv)" = "$old" ] || fail "the row of an old class scores differently: $(cat err)"
# The same in a sheet's form: semicolons, commas, percent, deleted columns and rows, a blank line.
{
    echo
    sed 's/,/;/g; s/\./,/g; s/$/;;/' new.csv
    echo ";;;;;;;;;"
} >sheet.csv
[ "$(score blue2 --classes sheet.csv)" = "$old" ] || fail "a sheet scores differently: $(cat err)"
# And as a list.
awk -F, 'NR == 1 { split($0, name, ","); next }
    { printf "blue2"; for (i = 2; i <= NF; i++) printf ",%s=%s", name[i], $i; print "" }' new.csv >list.csv
[ "$(score blue2 --classes list.csv)" = "$old" ] || fail "a list scores differently: $(cat err)"
# Another class of the call does not change the unit of this one.
printf 'heavy,weight kg=200\nlight,weight kg=40\n' >two.csv
both=$(score light --classes two.csv)
printf 'light,weight kg=40\n' >one.csv
[ -n "$both" ] && [ "$both" = "$(score light --classes one.csv)" ] || fail "a heavier class changes a lighter one"
[ "$both" != "$(score heavy --classes two.csv)" ] || fail "the weight makes no difference"
printf 'x,weight kg=2350\n' >wrong.csv
expect 1 "is 2350, far outside what the model was trained with (" "$unseen" predict u.model "$photo" --classes wrong.csv
expect 1 "wrong.csv" "$unseen" predict u.model "$photo" --classes wrong.csv
printf 'x,head color::red=90\n' >wrong.csv
expect 1 "is it in another unit" "$unseen" predict u.model "$photo" --classes wrong.csv
printf 'x,weight kg=250\n' >heavy.csv
expect 0 "outside what the model was trained with" "$unseen" predict u.model "$photo" --classes heavy.csv

# What the table of --classes shares with that of import.
printf 'x,head color::red=1\nx,head color::red=0.5\n' >wrong.csv
expect 1 'class 1 and class 2 have the same name, "x"' "$unseen" predict u.model "$photo" --classes wrong.csv
printf 'class,head color::red\nx,1\nx,0\n' >wrong.csv
expect 1 'the same name, "x"' "$unseen" predict u.model "$photo" --classes wrong.csv
printf 'class,head color::red,head color::red\nx,1,0\n' >wrong.csv
expect 1 "column 2 and column 3" "$unseen" predict u.model "$photo" --classes wrong.csv
printf 'class,Head_Color::RED\302\240,weight kg\nx,?,100\n' >spelt.csv
expect 0 "spells otherwise" "$unseen" predict u.model "$photo" --classes spelt.csv
printf 'class,hed color::red,weihgt kg\nx,1,2\n' >wrong.csv
expect 1 'did you mean "head color::red"' "$unseen" predict u.model "$photo" --classes wrong.csv
expect 1 'did you mean "weight kg"' "$unseen" predict u.model "$photo" --classes wrong.csv
printf 'class,weight kg\nx,heavy\n' >wrong.csv
expect 1 'line 2, column 2 (class "x", attribute "weight kg")' "$unseen" predict u.model "$photo" --classes wrong.csv
printf 'class,weight kg\nx,?\n' >wrong.csv
expect 1 'says nothing about "x"' "$unseen" predict u.model "$photo" --classes wrong.csv

# Descriptions of classes that were trained on can be corrected, which is said.
{
    head -1 units.csv
    echo "$row" | sed 's/^"*blue blue"*/red red/'
} >again.csv
expect 0 '"red red" has a new description' "$unseen" predict u.model "$photo" --classes again.csv
[ "$(score "red red")" != "$(score "red red" --classes again.csv)" ] || fail "a seen class kept its description"
"$unseen" predict u.model "$photo" --classes again.csv --among new --csv - -q 2>/dev/null |
    grep -q ',1,red red,[^,]*,1,$' || fail "among new"

# Names with '=' in tables and lists.
sed '1s/head color::red/a=b/' own.csv >equals.csv
expect 0 "" "$unseen" import folder own --attributes equals.csv --unseen "blue blue,red green" -o e -q
expect 0 "" "$unseen" extract --backbone builtin:descriptor --data e --pooled -q
expect 0 "written to" "$unseen" train eszsl --data e -o e.model -q
printf 'name,a=b\nx=1,0.5\n' >table.csv
printf 'x=1,a=b=0.5\n' >list.csv
expect 0 "x=1" "$unseen" predict e.model "$photo" --classes table.csv --among new
expect 0 "x=1" "$unseen" predict e.model "$photo" --classes list.csv --among new

# Unknown values, at import and after it.
awk -F, -v OFS=, 'NR == 3 { $2 = -1 } { print }' own.csv >marked.csv
expect 0 "1 unknown value got the mean of the other classes" "$unseen" import folder own \
    --attributes marked.csv --unknown -1 --unseen "blue blue,red green" -o f
expect 0 "1 unknown value got the mean" "$unseen" check f
expect 0 "" "$unseen" extract --backbone builtin:descriptor --data f --pooled -q
expect 0 "written to" "$unseen" train eszsl --data f -o f.model -q
printf 'class,head color::red,head color::green,tail color::red\nx,-1,0.5,0.3\n' >unknown.csv
expect 0 "x" "$unseen" predict f.model "$photo" --classes unknown.csv --among new
printf 'class,head color::green,tail color::red\nx,0.5,-1\n' >unknown.csv
expect 1 "say from 0 to 1" "$unseen" predict e.model "$photo" --classes unknown.csv
awk -F, -v OFS=, 'NR == 3 { $2 = "" } { print }' own.csv >empty.csv
expect 1 "the value is missing" "$unseen" import folder own --attributes empty.csv -o g
expect 0 "1 unknown value" "$unseen" import folder own --attributes empty.csv --unknown "" -o g
finish
