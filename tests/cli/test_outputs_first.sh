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
at_once "no folder missing" "$unseen" check toy --json missing/c.json
mkdir -p shown/report.html
at_once "report.html is a directory" "$unseen" demo -o shown
[ -e shown/birds ] && fail "the demo began"
ls ./*.tmp-* >/dev/null 2>&1 && fail "looking left files"

# A full or read-only disk is found, too, where this can be tried.
if [ "$(id -u)" = 0 ] && mkdir ro && mount -t tmpfs -o ro none ro 2>/dev/null; then
    at_once "ro" $train -o ro/a.model
    at_once "ro" $eval --json ro/a.json
    umount ro
fi
finish
