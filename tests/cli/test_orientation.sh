#!/bin/sh
# One policy about EXIF orientation: what a model learned from is how it is asked, in every format
# and orientation; pictures of one's own stand, those of benchmarks lie as they are stored.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
echo "class,r,g,b" >c.csv
for k in 1 2 3 4 5 6; do
    mkdir -p all
    "$tools/make_turned" all/kind$k $k || fail "pictures"
    echo "kind$k,0.$((k * 3 % 10)),0.$((k * 7 % 10)),0.$k" >>c.csv
done
import="$unseen import folder all --attributes c.csv --unseen kind6 -q"
extract="$unseen extract --backbone builtin:descriptor --image-size 64 --pooled --name d -q"

# ---- a folder of one's own: exif, in features, model and answers ----
$import -o d >/dev/null || fail import
$extract --data d >/dev/null || fail extract
expect 0 'orientation' "$unseen" inspect d/features/d.safetensors
"$unseen" train eszsl --data d --features d -q --threads 1 --select none --set gamma=1 --set lambda=1 \
    -o own.model >/dev/null || fail train
"$unseen" predict own.model all/kind* --top 1 --csv own.csv 2>err || fail "predict: $(cat err)"
[ -s err ] && fail "there is nothing to warn of: $(cat err)"
# Each picture has the score of the upright one of its kind: the same pixels but for JPEG's rounding.
spread() {
    tail -n +2 "$1" | awk -F, -v limit=$2 '
        { split($1, part, "/"); k = part[2] ":" $3
          if (!(k in low) || $4 < low[k]) low[k] = $4
          if (!(k in high) || $4 > high[k]) high[k] = $4
          labels[part[2]] = labels[part[2]] == "" || labels[part[2]] == $3 ? $3 : "several"
          n++ }
        END { for (k in low) if (high[k] - low[k] > limit) { print k, low[k], high[k]; bad = 1 }
              for (c in labels) if (labels[c] == "several") { print c, "has several answers"; bad = 1 }
              exit bad || n != 6 * 33 }'
}
spread own.csv 0.02 || fail "the orientations are not asked alike"
grep -v jpg own.csv >lossless.csv
tail -n +2 lossless.csv | awk -F, '{ split($1, part, "/"); s[part[2]] = s[part[2]] == "" ? $4 : s[part[2]]
    if ($4 != s[part[2]]) { print; bad = 1 } } END { exit bad }' || fail "lossless formats differ"
"$unseen" explain own.model all/kind1/jpg-6.jpg -o why-6 >/dev/null || fail explain
"$unseen" explain own.model all/kind1/upright.png -o why-0 >/dev/null || fail explain
for k in 0 6; do grep '"label"' why-$k/*/explanation.json | head -1 >label-$k; done
cmp label-0 label-6 || fail "explain turns otherwise than predict"

# Extraction saw the same: the rows of one class are equal but for JPEG's rounding. The report's
# pictures stand, too; where they are asked otherwise is said.
"$unseen" report own.model --data d -o own.html >/dev/null 2>&1 || fail report
"$unseen" predict own.model all/kind1 --orientation stored --top 1 --csv stored.csv || fail stored
cmp -s own.csv stored.csv && fail "--orientation stored does nothing"
"$unseen" predict own.model all/kind1 --ignore-exif --top 1 --csv ignored.csv || fail ignored
cmp stored.csv ignored.csv || fail "--ignore-exif is not --orientation stored"
expect 2 "exif or stored" "$unseen" predict own.model all/kind1 --orientation sideways

# ---- as stored: asked for at import or at extract, or in a data set of before ----
$import --orientation stored -o s >/dev/null || fail import
$extract --data s >out || fail extract
grep -q "^not turned    126 pictures" out || fail "pictures that are not turned were not counted: $(cat out)"
$extract --data d --orientation stored --name lying >/dev/null || fail extract
$extract --data s --orientation exif --name standing >/dev/null || fail extract
cmp s/features/d.safetensors d/features/lying.safetensors || fail "stored is not stored"
cmp d/features/d.safetensors s/features/standing.safetensors || fail "exif is not exif"
cmp -s s/features/d.safetensors d/features/d.safetensors && fail "no picture was turned"
expect 1 "made in another way" $extract --data d --orientation stored
"$unseen" train eszsl --data s --features d -q --threads 1 --select none --set gamma=1 --set lambda=1 \
    -o stored.model >/dev/null || fail train
"$unseen" predict stored.model all/kind1 --top 1 --csv a.csv 2>err || fail predict
grep -q "orientation of 21 pictures was ignored" err || fail "predict did not say so: $(cat err)"
"$unseen" predict stored.model all/kind1 --top 1 --orientation stored --csv b.csv 2>err || fail predict
cmp a.csv b.csv || fail "a model of stored pictures is asked otherwise"
[ -s err ] && fail "what was asked for is no news: $(cat err)"

# A recipe without the word is one of before: stored.
grep -q orientation s/features/d.safetensors && fail "stored features name their orientation"

# ---- benchmarks ----
expect 0 "--orientation=exif|stored" "$unseen" import cub --help
expect 0 "exif|stored" "$unseen" import xlsa17 --help
finish
