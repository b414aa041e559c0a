#!/bin/bash
# Where outputs go: pipes, devices, descriptors and links are written to, never replaced; closed
# standard streams harm nothing; what a killed writer left is removed by the next.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_dataset" toy || fail "make_dataset"
train="$unseen train eszsl --data toy --threads 1 -q"
$train -o m.model --json t.json >t.txt || fail "training"
"$unseen" eval m.model --data toy --json e.json >e.txt || fail "eval"

# same A B: equal but for the time that was needed
same() { diff <(grep -av seconds "$1") <(grep -av seconds "$2"); }

# ---- what is no regular file is written to ----

mkfifo pipe
check_fifo() { # NAME COMMAND...: the command writes to ./pipe what it writes to ./NAME
    local name=$1
    shift
    timeout 20 cat pipe >got &
    timeout 20 "$@" >/dev/null || fail "$* failed"
    wait $!
    [ -p pipe ] || fail "$*: the pipe was replaced"
    same "$name" got || fail "$*: another content than in a file"
}
check_fifo e.json "$unseen" eval m.model --data toy --json pipe
check_fifo m.model $train -o pipe
"$unseen" eval m.model --data toy --per-class c.csv >/dev/null || fail "eval --per-class"
check_fifo c.csv "$unseen" eval m.model --data toy --per-class pipe
[ "$(ls pipe.*  2>/dev/null)" = "" ] || fail "something was left beside the pipe: $(ls pipe.*)"

# What /dev/stdout is; not the machine's own, which a build of before would replace.
ln -s /proc/self/fd/1 stdout
"$unseen" eval m.model --data toy --json stdout >all.txt || fail "--json /dev/stdout"
grep -q '"T1"' all.txt || fail "--json /dev/stdout > FILE lost the JSON"
grep -q "at gamma 0" all.txt || fail "--json /dev/stdout > FILE lost the text"
"$unseen" eval m.model --data toy --json stdout -q | grep -q '"T1"' || fail "--json /dev/stdout |"
"$unseen" eval m.model --data toy --json /dev/fd/7 7>seven.json >/dev/null || fail "--json /dev/fd/7"
same e.json seven.json || fail "--json /dev/fd/7"
"$unseen" eval m.model --data toy --json >(cat >sub.json) >/dev/null || fail "process substitution"
for i in $(seq 50); do [ -s sub.json ] && break; sleep 0.1; done
same e.json sub.json || fail "process substitution"
expect 1 "cannot write /dev/fd/9: Bad file descriptor" \
    "$unseen" eval m.model --data toy --json /dev/fd/9
expect 1 "standard output" sh -c "\"$unseen\" eval m.model --data toy --json - | exit 0; \
    \"$unseen\" eval m.model --data toy --json - >/dev/full"

for output in --curve --per-class --confusion; do
    expect 1 "cannot write standard output" \
        sh -c "\"$unseen\" eval m.model --data toy $output - >/dev/full"
done
(("$unseen" eval m.model --data toy --curve - 2>err; echo $? >code) | exec true)
[ "$(cat code)" = 0 ] || grep -q "cannot write standard output" err || fail "a pipe: $(cat err)"
expect 1 "cannot write standard output" \
    sh -c "\"$unseen\" report m.model --data toy -o - >/dev/full"

# Whoever reads of it what he needs and leaves, like head, has done nothing wrong: no complaint.
mkfifo left
exec 8<>left 9>left 8<&-
for command in "inspect m.model" "inspect toy" "inspect m.model --json -" --help; do
    "$unseen" $command >&9 2>err
    code=$?
    [ $code = 1 ] && [ ! -s err ] || fail "$command | head: status $code, $(cat err)"
done
exec 9>&-

if mknod null c 1 3 2>/dev/null && echo x 2>/dev/null >null; then
    $train -o null >/dev/null || fail "-o to a device"
    "$unseen" eval m.model --data toy --json null --per-class null >/dev/null || fail "--json device"
    $train -o m2.model --log null >/dev/null || fail "--log to a device"
    [ -c null ] || fail "the device was replaced"
    [ "$(ls null.* 2>/dev/null)" = "" ] || fail "something was left beside the device"
    mknod full c 1 7
    expect 1 "cannot write full: No space left" "$unseen" eval m.model --data toy --json full
    expect 1 "cannot write full: No space left" $train -o full
else
    left_out "devices as outputs: no device nodes can be made here"
fi
expect 1 "toy is a directory" "$unseen" eval m.model --data toy --json toy

# ---- a link stays one ----

mkdir store
echo old >store/real.json
ln -s store/real.json link.json
ln -s link.json link2.json
ln -s store/new.json dangling.json
ln -s loop.json loop.json
for name in link2.json dangling.json; do
    "$unseen" eval m.model --data toy --json $name >/dev/null || fail "--json $name"
    [ -L $name ] || fail "$name is no link any more"
    same e.json $name || fail "$name leads to something else"
done
[ -L link.json ] && [ ! -L store/real.json ] || fail "a link in the middle was replaced"
[ "$(ls store)" = "$(printf 'new.json\nreal.json')" ] || fail "left in store: $(ls store)"
expect 1 "cannot write loop.json: Too many levels of symbolic links" \
    "$unseen" eval m.model --data toy --json loop.json
mkdir store/empty
ln -s store/empty folder
"$unseen" import tinybirds -o folder --size 64 --images-per-class 5 -q >/dev/null || fail "import to a link"
[ -L folder ] && [ -e store/empty/dataset.safetensors ] || fail "import replaced a link"

# The rights of a file that is replaced stay.
echo old >private.json
chmod 600 private.json
"$unseen" eval m.model --data toy --json private.json >/dev/null || fail "eval"
[ "$(stat -c %a private.json)" = 600 ] || fail "a private file was opened to all"
umask 027
"$unseen" eval m.model --data toy --json fresh.json >/dev/null || fail "eval"
[ "$(stat -c %a fresh.json)" = 640 ] || fail "the umask was not followed: $(stat -c %a fresh.json)"
umask 022

# ---- closed standard streams ----

$train -o closed.model 0<&- 1>&- 2>&- || fail "training with closed streams"
cmp m.model closed.model || fail "another model with closed streams"
"$unseen" import tinybirds -o a --size 64 --images-per-class 5 >/dev/null || fail "import"
"$unseen" import tinybirds -o b --size 64 --images-per-class 5 0<&- 1>&- 2>&- || fail "import"
rm a/images/*/005.png
"$unseen" extract --data a --backbone builtin:descriptor --pooled 2>warnings >/dev/null
rm b/images/*/005.png
"$unseen" extract --data b --backbone builtin:descriptor --pooled 2>&- >/dev/null
[ -s warnings ] || fail "no warnings: nothing was tested"
for f in a/features/*; do
    # The recipes are the same; only the folders' names differ, which are not in the files.
    cmp $f b/features/$(basename $f) || fail "warnings were written into $f"
done
"$unseen" train dem --data toy --epochs 3 -o l.model --log l.csv -v 2>&- >/dev/null || fail "train"
grep -v '^run,\|^[a-z0-9 ]*,[0-9]' l.csv && fail "messages in the log"

# ---- what a killed writer left ----

: >m.model.tmp-A1b2C3
: >m.model.tmp-backup
: >m.model.checkpoint.tmp-Zz09xX
exec 8<>m.model.tmp-L0cKed
flock -n 8 || fail "flock"
$train -o m.model >/dev/null || fail "training"
[ -e m.model.tmp-A1b2C3 ] && fail "a left temporary was not removed"
[ -e m.model.checkpoint.tmp-Zz09xX ] && fail "the checkpoint's left temporary was not removed"
[ -e m.model.tmp-backup ] || fail "somebody's file was removed"
[ -e m.model.tmp-L0cKed ] || fail "a living writer's file was removed"
exec 8>&-
"$unseen" eval m.model --data toy --json m.model.other >/dev/null
$train -o m.model >/dev/null || fail "training"
[ -e m.model.tmp-L0cKed ] && fail "the dead writer's file was not removed"
[ -e m.model.other ] || fail "another file was removed"

# Nothing is followed, and nobody's folder is cleared, under the name of unfinished work.
echo precious >precious
mkdir treasure
echo gold >treasure/gold
ln -s treasure c.partial
expect 1 "remove it" "$unseen" import tinybirds -o c --size 64 --images-per-class 5 -q
rm c.partial
cp -r treasure c.partial
expect 1 "was not left by an earlier run" "$unseen" import tinybirds -o c --size 64 \
    --images-per-class 5 -q
[ -e treasure/gold ] && [ -e c.partial/gold ] || fail "somebody's folder was cleared"
rm -r a/features
mkdir a/features
ln -s ../../precious a/features/descriptor-1.safetensors.partial
expect 1 "is a link" "$unseen" extract --data a --backbone builtin:descriptor --pooled -q
ln -f precious a/features/descriptor-1.safetensors.partial
expect 1 "remove it" "$unseen" extract --data a --backbone builtin:descriptor --pooled -q
[ "$(cat precious)" = precious ] || fail "a planted link was written through"

finish
