#!/bin/sh
# bench/serve.py hostile, small: right and wrong requests, decoders killed, models loaded anew, SIGTERM
# under load. Every answer is checked.
. "$(dirname "$0")/common.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
source=$(cd "$(dirname "$0")/../.." && pwd)
cd "$scratch" || exit 1
PYTHONDONTWRITEBYTECODE=1 TMPDIR=$scratch python3 "$source/bench/serve.py" hostile "$unseen" \
    --requests 500 --clients 16 >out 2>&1 || fail "$(tail -20 out)"
grep -q '^SIGTERM under load: ' out || fail "no end: $(tail -5 out)"
finish
