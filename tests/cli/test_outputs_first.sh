#!/bin/sh
# What cannot be written is said before the work, not after it.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_dataset" toy || fail "make_dataset"
expect 0 "" "$unseen" train eszsl --data toy -o good.model -q
mkdir folder

# at_once TEXT COMMAND...: status 1 and a sentence, and nothing was begun: no figures, no files.
at_once() {
    expect 1 "$@"
    case $output in
    *"T1 "* | *chose* | *"test images"*) shift; fail "$* worked before it looked: $output" ;;
    esac
    [ "$(printf '%s\n' "$output" | wc -l)" = 1 ] || fail "more than one sentence: $output"
}
train="$unseen train eszsl --data toy"
at_once "folder is a directory" $train -o folder
at_once "no folder missing" $train -o missing/a.model
at_once "no folder missing" $train -o a.model --json missing/a.json
at_once "folder is a directory" $train -o a.model --json folder
at_once "no folder missing" $train -o a.model --log missing/a.csv
at_once "folder is a directory" $train -o a.model --log folder
mkdir s-seed2.model
at_once "s-seed2.model is a directory" $train -o s.model --seeds 1,2
[ -e a.model ] && fail "a model was written"
[ -e s-seed1.model ] && fail "a seed was trained in vain"
eval="$unseen eval good.model --data toy"
for option in --json --per-class --curve --confusion; do
    at_once "no folder missing" $eval $option missing/x
    at_once "folder is a directory" $eval $option folder
done
at_once "no folder missing" "$unseen" report good.model --data toy -o missing/r.html
at_once "folder is a directory" "$unseen" report good.model --data toy -o folder
at_once "no folder missing" "$unseen" bench dem --images 100 --classes 10 --json missing/b.json
at_once "no folder missing" "$unseen" bench backbone --arch resnet50 --json missing/b.json
at_once "no folder missing" "$unseen" bench ceilings --json missing/b.json
at_once "no folder missing" "$unseen" check toy --json missing/c.json
mkdir -p shown/report.html
at_once "report.html is a directory" "$unseen" demo -o shown
[ -e shown/birds ] && fail "the demo began"
ls ./*.tmp-* >/dev/null 2>&1 && fail "looking left files"

# No output is an input, nor another output: status 2, a sentence, and every file as it was.
sums() { find toy p z good.model c.csv cfg.json w.csv log.csv -type f -exec cksum {} + 2>/dev/null | sort; }
# never TEXT COMMAND...
never() {
    expect 2 "$@"
    case $output in
    *"T1 "* | *"test images"*) shift; fail "$* worked before it looked: $output" ;;
    esac
    [ "$(printf '%s\n' "$output" | wc -l)" = 1 ] || fail "more than one sentence: $output"
    [ "$(sums)" = "$before" ] || fail "$* changed a file"
    ! ls -d same o new.* >/dev/null 2>&1 || fail "$* wrote something"
}
"$unseen" import tinybirds -o birds --images-per-class 5 -q >/dev/null || fail "tinybirds"
"$unseen" extract --backbone builtin:descriptor --data birds --pooled -q >/dev/null || fail "extract"
"$unseen" train eszsl --data birds -o birds.model -q >/dev/null || fail "train"
mkdir -p p/red p/blue p/green
pictures=$(find birds -name '*.png' | sort | head -n 2)
[ "$(printf '%s\n' "$pictures" | wc -l)" = 2 ] || fail "there are no pictures to try with"
first=$(printf '%s\n' "$pictures" | head -n 1)
cp $first p/red/0.png
cp $(printf '%s\n' "$pictures" | tail -n 1) p/blue/1.png
cp p/red/0.png p/green/2.png
printf 'class,a,b\nred,1,0\nblue,0,1\ngreen,1,1\n' >c.csv
printf '{}' >cfg.json
printf 'x,y\n' >log.csv
printf 'NAME\n' >w.csv
ln -s p/red/0.png link.png
ln good.model hard.model
ln -s toy toylink
before=$(sums)
predict="$unseen predict birds.model p/red/0.png"
read_="is read by this command"
never "$read_" $predict --csv p/red/0.png
never "$read_" $predict --csv link.png
never "$read_" $predict --csv p/../p/red/0.png
never "$read_" $predict --csv birds.model
never "$read_" $predict --classes c.csv --json c.csv
never "$read_" "$unseen" predict birds.model p --json p/blue/1.png
never "named for two outputs" $predict --csv o --json o
never "named for two outputs" $predict --csv o --json ./o
never "$read_" "$unseen" eval good.model --data toy --json hard.model
never "$read_" "$unseen" eval good.model --data toy --curve good.model
never "named for two outputs" "$unseen" eval good.model --data toy --json o --curve o
never "only one output can go to standard output" \
    "$unseen" eval good.model --data toy --json - --curve -
never "belongs to the data set" "$unseen" eval good.model --data toy --json toylink/dataset.safetensors
never "$read_" "$unseen" report good.model --data toy -o good.model
never "$read_" "$unseen" report good.model --data toy --log log.csv -o log.csv
never "belongs to the data set" "$unseen" report birds.model --data birds -o $first
never "$read_" "$unseen" inspect good.model --json good.model
never "belongs to the data set" "$unseen" inspect toy --json toy/dataset.safetensors
never "belongs to the data set" "$unseen" check toy --json toy/dataset.safetensors
features=$(find toy/features -name '*.safetensors' | head -n 1)
[ -n "$features" ] || fail "the toy has no features"
never "belongs to the data set" $train -o toy/dataset.safetensors
never "belongs to the data set" $train -o $features
never "belongs to the data set" $train -o toy/features/new.safetensors
never "belongs to the data set" $train -o new.model --log $features
never "$read_" $train -o new.model --config cfg.json --log cfg.json
never "named for two outputs" $train -o same --json same
never "named for two outputs" $train -o same --log same
never "named for two outputs" $train -o new.model --seeds 1,2 --json new-seed2.model
never "keeps beside another output" $train -o new.model --log new.model.checkpoint
import="$unseen import folder p --attributes c.csv -o z"
never "$read_" $import --write-splits c.csv
never "is a file of the folder p" $import --write-splits p/red/0.png
mkdir z
never "lies in the directory z" $import --write-splits z/split.json
rmdir z
never "$read_" "$unseen" words toy --vectors toy/dataset.safetensors
never "lies among the files of the data set" "$unseen" extract --backbone $features --data toy
never "$read_" "$unseen" bench backbone --weights good.model --json good.model
mkdir demo
printf x >demo/report.html
never "$read_" "$unseen" demo -o demo --backbone demo/report.html
"$unseen" explain birds.model p/red/0.png -o shown2 -q >/dev/null || fail "explain"
earlier=$(find shown2 -name '*.png' | head -n 1)
name=$(basename "$(dirname "$earlier")")
cp p/red/0.png "shown2/$name/0.png"
never "where this command writes an explanation" \
    "$unseen" explain birds.model "shown2/$name/0.png" -o shown2

# What is no file may be named twice, an earlier result is replaced, a name beside is free.
expect 0 "" $predict --csv /dev/null --json /dev/null
expect 0 "" "$unseen" eval good.model --data toy --json r.json --curve r.csv
expect 0 "" "$unseen" eval good.model --data toy --json r.json --curve r.csv
expect 0 "" $train -o toy/a.model --json toy/a.json --log toy/a.csv
expect 0 "" $import --unseen green --write-splits split.json
[ -s split.json ] || fail "no split was written"

# Standard output is named -, and what goes there is alone.
"$unseen" report good.model --data toy -o - >page.html || fail "report -o -"
[ -e ./- ] && fail "report made a file called -"
case $(head -c 15 page.html) in
'<!DOCTYPE html>' | '<!doctype html>') ;;
*) fail "the page does not begin like one: $(head -c 40 page.html)" ;;
esac
case $(tail -n 1 page.html) in
*KiB*) fail "the page is not alone on standard output" ;;
esac
"$unseen" eval good.model --data toy --curve - >curve.csv || fail "eval --curve -"
[ -e ./- ] && fail "eval made a file called -"
"$unseen" eval good.model --data toy --curve r2.csv >/dev/null || fail "eval --curve"
cmp curve.csv r2.csv || fail "the curve on standard output is another one"
expect 2 "want files" $train -o -
[ -e ./- ] && fail "train made a file called -"

# A full or read-only disk is found, too, where this can be tried.
if [ "$(id -u)" = 0 ] && mkdir ro && mount -t tmpfs -o ro none ro 2>/dev/null; then
    at_once "ro" $train -o ro/a.model
    at_once "ro" $eval --json ro/a.json
    umount ro
fi
finish
