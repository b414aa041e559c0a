#!/bin/sh
# The page in a real browser against the real server:  UNSEEN=build/unseen test_web.sh NAME
# where NAME.js is a file of this folder. What they share, a small data set and two models, is made
# once in the build folder. `make test` installs Chromium, node and what package.json names.
set -u
here=$(cd "$(dirname "$0")" && pwd)
unseen=${UNSEEN:?the path of the program}
tools=$(dirname "$unseen")/tests
WEB_WORK=$tools/web
export WEB_WORK
web_here=$here
. "$here/found.sh"
[ -z "$web_missing" ] || {
    echo "skipped: the browser tests need $web_missing, which make test installs where the registries can be reached"
    exit 77
}

# A disc and a square of three colours each: eight classes to learn from, and held/, a ninth that
# only the page's user knows.
make_data() {
    cd "$WEB_WORK" && rm -rf made own held d ./*.model || return 1
    "$tools/make_pictures" own || return 1
    mv own/*"green green"* held || return 1
    grep -v "green green" own.csv >known.csv
    printf '%s\n' "head 1 0 0 0 0" "tail 0 1 0 0 0" "red 0 0 1 0 0" "green 0 0 0 1 0" \
        "blue 0 0 0 0 1" >vectors.txt
    "$unseen" import folder own --attributes known.csv --unseen "blue blue,red green" -o d -q &&
        "$unseen" words d --vectors vectors.txt -q &&
        "$unseen" extract --backbone builtin:descriptor --data d -q &&
        "$unseen" train msdn --data d --features descriptor-1-regions --epochs 30 -o msdn.model -q &&
        "$unseen" train dem --data d --features descriptor-1 -o dem.model -q && : >made
}
mkdir -p "$WEB_WORK" || exit 1
(
    flock 9
    [ -n "$(find "$WEB_WORK/made" -newer "$unseen" 2>/dev/null)" ] || make_data
) 9>"$WEB_WORK/lock" >"$WEB_WORK/log" 2>&1 || {
    echo "FAILED: the data for the browser tests: $(cat "$WEB_WORK/log")"
    exit 1
}
CHROMIUM=$web_chromium node "$here/$1.js"
