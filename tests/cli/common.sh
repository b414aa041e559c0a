# Sourced by the test scripts: a scratch folder, a toy data set, and checks that say what failed.
set -u
unseen=${UNSEEN:?the path of the program}
tools=$(dirname "$unseen")/tests
scratch=$(mktemp -d "${TMPDIR:-/tmp}/unseen-test-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
case $unseen in
*' '*) # scripts make commands of words: one word, wherever the checkout lies
    ln -s "$(dirname "$unseen")" "$scratch.build"
    trap 'rm -rf "$scratch" "$scratch.build"' EXIT
    unseen=$scratch.build/$(basename "$unseen") tools=$scratch.build/tests
    ;;
esac
failures=0
parts_left_out=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect STATUS TEXT COMMAND...: exit status and a piece of what is printed.
expect() {
    want=$1
    text=$2
    shift 2
    output=$("$@" 2>&1)
    status=$?
    [ "$status" = "$want" ] || fail "$* ended with $status, expected $want: $output"
    case $output in
    *"$text"*) ;;
    *) fail "$* did not say \"$text\": $output" ;;
    esac
}

# need_shared: ends the test as skipped where the folder with real data is absent.
need_shared() {
    if [ ! -d "${UNSEEN_SHARED:-}/data/xlsa17/CUB" ]; then
        echo "skipped: no real data at ${UNSEEN_SHARED:-(unset)}"
        exit 77
    fi
}

# interrupted SIGNAL FILE OUTPUT COMMAND...: starts the command and sends the signal as soon as FILE
# (a path or a pattern without blanks) is there. Only a run that the signal ended counts: killed by
# KILL, or stopped with status 1 by others, and OUTPUT is not there. One that was quicker is done
# again; if that never succeeds, it is a failure. What was said is in $scratch/interrupted.
interrupted() {
    signal=$1 file=$2 result=$3
    shift 3
    want=1
    [ "$signal" = KILL ] && want=137
    tries=0
    while [ $tries -lt 20 ]; do
        tries=$((tries + 1))
        rm -rf $result $file
        "$@" >"$scratch/interrupted" 2>&1 &
        pid=$!
        # The shell's own test: nothing is as quick. kill -0 also succeeds on what has ended.
        while ! there $file && kill -0 $pid 2>/dev/null && ! is_over $pid; do sleep 0.002; done
        kill "-$signal" $pid 2>/dev/null
        wait $pid 2>/dev/null
        status=$?
        [ $status = $want ] && there $file && ! there $result && return 0
    done
    fail "never interrupted by $signal (status $status): $*: $(cat "$scratch/interrupted")"
    return 1
}
there() { for path in "$@"; do [ -e "$path" ] && return 0; done; return 1; }
is_over() { case $(cut -d' ' -f3 /proc/$1/stat 2>/dev/null) in Z | "") true ;; *) false ;; esac; }

# left_out WHAT: a part of the test cannot run here. A test that passes but for such parts counts as
# skipped, so that it is seen.
left_out() {
    echo "left out: $*"
    parts_left_out=$((parts_left_out + 1))
}

finish() {
    [ "$failures" = 0 ] || exit 1 # not their number: 256 of them would be none, and 77 a skip
    [ "$parts_left_out" = 0 ] || exit 77
    echo "all good"
    exit 0
}
