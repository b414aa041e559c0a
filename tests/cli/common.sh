# Sourced by the test scripts: a scratch folder, a toy data set, and checks that say what failed.
set -u
unseen=${UNSEEN:?the path of the program}
tools=$(dirname "$unseen")/tests
scratch=$(mktemp -d "${TMPDIR:-/tmp}/unseen-test-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
failures=0

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

finish() {
    [ "$failures" = 0 ] && echo "all good"
    exit "$failures"
}
