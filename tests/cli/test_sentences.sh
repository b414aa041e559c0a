#!/bin/sh
# Sentences of the library name fields and functions to a host, options and commands to the
# program's user; and the check that says so finds what is wrong.
. "$(dirname "$0")/common.sh"
source=$(cd "$(dirname "$0")/../.." && pwd -P)
python=
for p in /usr/bin/python3 python3; do
    [ -n "$python" ] || ! "$p" -c "" 2>/dev/null || python=$p
done
if [ -z "$python" ]; then
    echo "skipped: no python3"
    exit 77
fi
check=$source/tests/tools/sentences.py
"$python" -B "$check" "$source" || fail "a sentence is for one reader only"

# Wrong ones are found.
while IFS='|' read -r code want; do
    printf 'static const char *g = %s;\n' "$code" | tr '~' '|' >wrong.c
    "$python" -B "$check" "$source" wrong.c >said && fail "$code was not found"
    grep -qF "$want" said || fail "of $code it says: $(cat said)"
done <<'END'
un_fail(1, "go on with --resume")|for the program's user alone
un_fail(1, "`unseen " "check` tells")|for the program's user alone
un_fail(1, "it goes on by the same command")|for the program's user alone
un_fail(1, "%s", "{--resume}")|nothing reads the choice, argument 2 of un_fail
un_format(&text, "{--resume}")|nothing reads the choice, argument 1 of un_format
"{--resume}"|nothing reads the choice
un_fail(1, "{--resumed}")|no public structure has a field resumed
un_fail(1, "{--resumed}")|the program has no option --resumed
un_fail(1, "{--set~option sets}")|no public structure has a field sets
un_fail(1, "{the command~unseen_checks}")|there is no function unseen_checks
un_fail(1, "{%d~%s}")|has a %
END
finish
