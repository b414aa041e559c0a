#!/bin/sh
# Manual pages and completion come from the same tables as --help: none lacks an option.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1

commands=$("$unseen" --help | sed -n 's/^  \([a-z]\{4,\}\)  *.*/\1/p')
formats=$("$unseen" import --help | sed -n 's/^  \([a-z][a-z0-9-]*\)  *.*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 13 ] || fail "commands: $commands"
[ "$(echo "$formats" | wc -l)" -ge 7 ] || fail "formats: $formats"

# check WORDS...: --help, the page and the list of one command name the same options.
check() {
    "$unseen" "$@" --help >help.txt || fail "$* --help"
    "$unseen" "$@" --help=man >page.1 || fail "$* --help=man"
    "$unseen" "$@" --help=options >options.txt || fail "$* --help=options"
    sed -n 's/^ \{2,6\}\(-[a-z], \)\{0,1\}--\([a-z-]*\).*/\2/p' help.txt |
        grep -v -x -e help -e usage | sort -u >want
    cut -f1 options.txt | sed 's/^--//' | sort -u >listed
    sed -n 's/^\(\\fB\\-[a-zA-Z]\\fR, \)\{0,1\}\\fB\\-\\-\([a-z\\-]*\)\\fR.*/\2/p' page.1 |
        sed 's/\\//g' | sort -u >paged
    [ -s want ] || fail "$* --help names no options"
    cmp -s want listed || fail "$* --help=options: $(diff want listed | grep '^[<>]')"
    comm -23 want paged | grep . && fail "$* --help=man lacks these"
    if command -v man >/dev/null; then
        warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -l page.1 2>&1 >/dev/null)
        [ -z "$warnings" ] || fail "$* page: $warnings"
    fi
}
for command in $commands; do
    [ "$command" = import ] || check "$command"
done
for format in $formats; do check import "$format"; done
for form in backbone ceilings; do check bench $form; done

# The settings of every method stand on the page of train, each with its default.
"$unseen" train --help=man | sed 's/\\-/-/g' >page.1
for method in dem eszsl msdn duet; do
    "$unseen" train $method --settings | sed -n '/^Settings/,$s/^  \([a-z0-9_]*\)  *.*/\1/p' >settings
    [ "$(wc -l <settings)" -ge 5 ] || fail "settings of $method"
    while read -r key; do
        sed -n "/^\.SS \"$method\"/,\$p" page.1 | grep -q "^.fB$key.fR=" ||
            fail "train's page lacks $method's $key"
    done <settings
done
expect 2 "man or options" "$unseen" train --help=html

# Completion, as bash asks for it.
if command -v bash >/dev/null; then
    "$unseen" completion bash >script || fail "completion bash"
    complete() { # the words typed so far, the last one to be completed
        PATH=$(dirname "$unseen"):$PATH bash -c '. ./script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _unseen; echo "${COMPREPLY[*]}"' bash "$@"
    }
    [ "$(complete unseen im)" = import ] || fail "completes commands"
    [ "$(complete unseen import reg)" = region-maps ] || fail "completes formats"
    [ "$(complete unseen import folder --pre)" = --precision ] || fail "completes options of formats"
    [ "$(complete unseen train dem --select v)" = validation ] || fail "completes choices"
    [ "$(complete unseen train m)" = msdn ] || fail "completes methods"
    [ "$(complete unseen bench ceil)" = ceilings ] || fail "completes forms of bench"
    [ "$(complete unseen bench ceilings --me)" = --memory ] || fail "completes options of forms"
fi
"$unseen" completion zsh | head -1 | grep -q '^#compdef unseen' || fail "completion zsh"
expect 2 "which shell" "$unseen" completion
finish
