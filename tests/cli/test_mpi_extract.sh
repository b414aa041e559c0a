#!/bin/sh
# Ranks extract rows into one file: the bytes of one process, whatever their number, also where
# pictures are damaged, a rank is killed in the middle, or a file is completed.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/mpi.sh"
cd "$scratch" || exit 1

"$tools/make_pictures" own || fail "make_pictures"
picture() { find own -name '*.png' | sort | sed -n "$1p"; }
for i in 3 11 20 21 80; do
    head -c 40 "$(picture $i)" >cut && mv cut "$(picture $i)" || fail "cannot damage picture $i"
done
expect 0 "seen" "$unseen" import folder own --attributes own.csv --unseen "blue blue,red green" -o one -q
"$tools/fuzz_replay" --make seeds >/dev/null || fail "no weights of small networks"
cp seeds/backbone/resnet resnet.safetensors
extract="extract --backbone resnet.safetensors --image-size 32 --batch 16"
for n in 2 4 7; do cp -r one by$n; done

# The folder's name is no part of what is compared.
"$unseen" $extract --data one >said.1 2>&1 || fail "one process: $(cat said.1)"
for n in 2 4 7; do # 90 pictures are six batches: seven ranks are more than there is to do
    ranks $n $extract --data by$n >said.$n 2>&1 || fail "$n ranks: $(cat said.$n)"
    for file in one/features/*; do
        cmp "$file" "by$n/features/$(basename "$file")" || fail "$n ranks made another file"
    done
    [ "$(ls by$n/features | wc -l)" = "$(ls one/features | wc -l)" ] || fail "$n ranks left $(ls by$n/features)"
    # Damaged pictures are told once, in order.
    grep "left out" said.1 >bad.1
    grep "left out" said.$n >bad.$n
    [ -s bad.1 ] || fail "no picture was left out"
    cmp bad.1 bad.$n || fail "$n ranks say of damaged pictures: $(cat bad.$n)"
    grep "^images" said.1 >count.1
    grep "^images" said.$n | cmp - count.1 || fail "$n ranks count: $(cat said.$n)"
done

# What is mended is tried again, and rows that are there are kept: one process and three ranks.
cp -r one kept
cp "$(picture 1)" "$(picture 11)"
expect 0 "already there" "$unseen" $extract --data one
expect 0 "already there" ranks 3 $extract --data kept
for file in one/features/*; do
    cmp "$file" "kept/features/$(basename "$file")" || fail "three ranks completed it in another way"
done

# Stopped in the middle, by a polite signal and by force; taken up by another number of ranks.
slow="extract --backbone resnet.safetensors --image-size 1024 --batch 2"
cp -r by2 whole
"$unseen" $slow --data whole -q >/dev/null || fail "one process, slow"
# cut_short SIGNAL SECONDS: a job that gets a signal so long after it began to write; its status.
cut_short() {
    rm -rf cut
    cp -r by2 cut
    "$MPIEXEC" -n 3 "$ranked" $slow --data cut >said 2>&1 &
    job=$!
    while ! there cut/features/*.partial && ! is_over $job; do sleep 0.01; done
    sleep "$2"
    if [ "$1" = TERM ]; then
        # Not to mpiexec, which leaves ranks a second, on a busy machine not enough for a batch.
        kill -TERM $(pgrep -P $job -f "$ranked") 2>/dev/null
    else
        kill -KILL "$(pgrep -P $job -f "$ranked" | sed -n 2p)"
    fi
    wait $job
}
for signal in TERM KILL; do
    # Machines differ: sooner, until it comes before the end.
    for seconds in 0.5 0.25 0.12 0.06 0.03 0; do
        cut_short $signal $seconds && fail "a job that got $signal ended well"
        there cut/features/resnet*-1024.safetensors || break
    done
    there cut/features/resnet*-1024.safetensors && fail "$signal: the job was too quick to be stopped"
    if [ $signal = KILL ]; then grep -q "rank 1.*vm\|rank 1" said || fail "nobody says who was killed: $(cat said)"; fi
    ranks 2 $slow --data cut >said 2>&1 || fail "going on after $signal: $(cat said)"
    for file in whole/features/*; do
        cmp "$file" "cut/features/$(basename "$file")" || fail "after $signal the file differs"
    done
    ls cut/features | grep -q "journal\|partial" && fail "left: $(ls cut/features)"
    if [ $signal = TERM ]; then grep -q "from an earlier run" said || fail "nothing was taken up: $(cat said)"; fi
    rm -rf cut
done

# A rank that has its rows and waits for another one is stopped as soon, and both say the same.
cp -r own spoilt
find spoilt -name '*.png' | sort | head -n 46 | while read -r file; do
    head -c 40 "$file" >cut && mv cut "$file"
done
expect 0 "seen" "$unseen" import folder spoilt --attributes own.csv --unseen "blue blue,red green" -o idle -q
"$MPIEXEC" -n 2 "$ranked" $slow --data idle >said 2>&1 &
job=$!
while ! there idle/features/*.partial && ! is_over $job; do sleep 0.01; done
sleep 0.3
before=$(date +%s)
kill -TERM $(pgrep -P $job -f "$ranked") || fail "the job was too quick to be stopped"
wait $job && fail "a stopped job ended well"
[ $(($(date +%s) - before)) -lt 15 ] || fail "a rank that waits was stopped after $(($(date +%s) - before)) s"
[ "$(grep -c "stopped; the same command goes on after what all ranks have done" said)" = 1 ] ||
    fail "two ranks that are stopped say: $(cat said)"

# Who joins writes its rows and nothing else: it neither allocates, nor cuts, nor can read.
rm -f by2/features/*
cp -r by2 plain
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
    "$unseen" $extract --data plain -q >/dev/null || fail "one process, anew"
    traced="exec strace -f -o calls -e trace=openat,fallocate,ftruncate,pwrite64,fsync,fdatasync,close"
    two "exec '$ranked' $extract --data by2" "$traced '$ranked' $extract --data by2" >said 2>&1 ||
        fail "traced ranks: $(cat said)"
    for file in plain/features/*; do
        cmp "$file" "by2/features/$(basename "$file")" || fail "traced ranks made another file"
    done
    sed -n '/safetensors.partial"/,$p' calls >since # MPI has files of its own before
    grep 'openat.*safetensors.partial"' since >opened
    if [ "$(wc -l <opened)" != 2 ] || [ "$(grep -c O_WRONLY opened)" != 2 ]; then
        fail "who joins the files of pooled rows and of regions opens: $(cat opened)"
    fi
    for fd in $(sed 's/.* = //' opened); do
        grep "fallocate($fd,\|ftruncate($fd," since && fail "who joins allocates or cuts"
        grep "pwrite64($fd," since >written
        [ -s written ] || fail "who joins writes nothing"
        grep ', 0) *=' written && fail "who joins writes the header"
        awk -v fd="$fd" 'index($0, "pwrite64(" fd ",") { synced = closed = 0 }
            index($0, "sync(" fd ")") { synced = 1 }
            index($0, "close(" fd ")") { closed = synced } END { exit !closed }' since ||
            fail "who joins does not sync and close"
    done
else
    echo "the calls of a rank that joins are not looked at, for lack of strace; test_row_store has them in small"
fi

# A folder that ranks do not share, also where an earlier run left what looks the same there.
mkdir apart
cp -r one apart/set && cp -r one set && cp resnet.safetensors apart
rm -f apart/set/features/* set/features/*
head -c 40000 /dev/zero >apart/set/features/resnet.safetensors.partial
expect 1 "rank 1 on" two "exec '$ranked' $extract --data set" "cd apart && exec '$ranked' $extract --data set"
case $output in *"apart/set/features is not the one that rank 0 writes"*) ;; *) fail "it does not say which folder: $output" ;; esac
[ -z "$(ls set/features)" ] || fail "left: $(ls set/features)"

# A rank without the backbone, and an unknown one: told, and over.
expect 1 "no-such" ranks 3 extract --backbone no-such.safetensors --data by2
mkdir elsewhere
cp -r by2 elsewhere/by2
rm -f by2/features/*
cp resnet.safetensors elsewhere
expect 1 "rank 1 on" two "exec '$ranked' $extract --data by2" \
    "cd elsewhere && rm -f resnet.safetensors && exec '$ranked' $extract --data by2"
case $output in *"resnet.safetensors"*) ;; *) fail "it does not say what rank 1 lacks: $output" ;; esac
finish
