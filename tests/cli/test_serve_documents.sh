#!/bin/sh
# Every curl line of docs/http.md is answered with the status that it names.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/serve.sh"
source=$(cd "$(dirname "$0")/../.." && pwd)
cd "$scratch" || exit 1
make_models
start dedn.model --data birds
grep '^curl ' "$source/docs/http.md" | sed "s|http://127.0.0.1:8080|$url|g" >lines
[ "$(wc -l <lines)" -ge 15 ] || fail "docs/http.md has only $(wc -l <lines) curl lines"
while read -r line; do
    want=${line##*# }
    case $line in *' -o '*) out= ;; *) out='-o answer' ;; esac
    got=$(sh -c "${line%#*} -s $out -w '%{http_code}'")
    [ "$got" = "$want" ] || fail "$line: $got $(head -c 300 answer)"
done <lines
for parameter in top among calibration classes features maps attributes instead_of; do
    grep -q "^| .$parameter. |" "$source/docs/http.md" || fail "docs/http.md lacks $parameter"
done
stop
finish
