#!/bin/sh
# Manual pages and completion come from the same tables as --help: none lacks an option, a command or
# a method.
. "$(dirname "$0")/common.sh"
source=$(cd "$(dirname "$0")/../.." && pwd)
cd "$scratch" || exit 1

# Every command, format and form of bench has a page, is in the manual, and points back.
pages=$("$unseen" --help=pages)
{
    "$unseen" --help | sed -n 's/^  \([a-z]\{4,\}\)  *.*/\1/p' | grep -v -x import
    "$unseen" import --help | sed -n 's/^  \([a-z][a-z0-9-]*\)  *.*/import \1/p'
    "$unseen" bench --help | sed -n 's/^ *or: *unseen bench \[OPTION...\] \([a-z]*\)$/bench \1/p'
} | sort >want
echo "$pages" | sort >have
[ "$(wc -l <want)" -ge 21 ] || fail "there are only $(cat want)"
cmp -s want have || fail "--help=pages: $(diff want have | grep '^[<>]')"
sed 's/\\-/-/g' "$source/docs/unseen.1" >manual
sed -n '/^\.SH COMMANDS/,/^\.SH OPTIONS/p' manual >paragraphs
echo "$pages" >pages
while read -r page; do
    grep -q "^\.B $page\( \|$\)" paragraphs || fail "unseen.1 has no paragraph on $page"
    grep -q "^\.BR unseen-$(echo "$page" | tr ' ' -) (1)" manual || fail "unseen.1 does not name the page of $page"
done <pages

# check WORDS...: --help, the page and completion name the same options.
check() {
    "$unseen" "$@" --help >help.txt || fail "$* --help"
    "$unseen" "$@" --help=man >page.1 || fail "$* --help=man"
    "$unseen" --help=next "$@" - >options.txt || fail "--help=next $* -"
    sed -n 's/^ \{2,6\}\(-[a-z], \)\{0,1\}--\([a-z-]*\).*/\2/p' help.txt |
        grep -v -x -e help -e usage | sort -u >want
    sed 's/^--//' options.txt | sort -u >listed
    sed -n 's/^\(\\fB\\-[a-zA-Z]\\fR, \)\{0,1\}\\fB\\-\\-\([a-z\\-]*\)\\fR.*/\2/p' page.1 |
        sed 's/\\//g' | sort -u >paged
    [ -s want ] || fail "$* --help names no options"
    cmp -s want listed || fail "--help=next $*: $(diff want listed | grep '^[<>]')"
    comm -23 want paged | grep . && fail "$* --help=man lacks these"
    [ "$(sed -n '/^\.SH SYNOPSIS/,/^\.SH DESC/p' page.1 | grep -c -v '^\.')" = 0 ] ||
        fail "the synopsis of $* breaks off"
    if command -v man >/dev/null; then
        warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -l page.1 2>&1 >/dev/null)
        [ -z "$warnings" ] || fail "$* page: $warnings"
    fi
}
while read -r page; do check $page </dev/null; done <pages

# Documents that are written by hand name every method.
methods=$("$unseen" --help=next train '')
[ "$(echo "$methods" | wc -l)" -ge 4 ] || fail "methods: $methods"
for method in $methods; do
    expect 2 "$method" "$unseen" train
    expect 2 "$method" "$unseen" bench
    sed -n '/^\.B train /,/^\.TP/p' manual | grep -qw "$method" || fail "unseen.1 does not name $method"
    grep -q "^\`train $method\`" "$source/docs/METHODS.md" ||
        fail "METHODS.md does not name $method"
    grep -q "\"$method\"" "$source/include/unseen.h" ||
        fail "unseen.h does not name $method"
done

# The settings of every method stand on the page of train, each with its default.
"$unseen" train --help=man | sed 's/\\-/-/g' >page.1
for method in $methods; do
    "$unseen" train $method --settings | sed -n '/^Settings/,$s/^  \([a-z0-9_]*\)  *.*/\1/p' >settings
    [ "$(wc -l <settings)" -ge 2 ] || fail "settings of $method"
    while read -r key; do
        sed -n "/^\.SS \"$method\"/,\$p" page.1 | grep -q "^.fB$key.fR=" ||
            fail "train's page lacks $method's $key"
    done <settings
done
expect 2 "--help takes man" "$unseen" train --help=html

# The words that may stand next, as the program tells them to both shells.
next() { # WANTED WORDS...: the first three candidates in the place of the last word
    wanted=$1
    shift
    got=$("$unseen" --help=next "$@" | head -3 | tr '\n' ' ')
    [ "$got" = "${wanted:+$wanted }" ] || fail "completion of $*: \"$got\", not \"$wanted\""
}
next import im
next region-maps import reg
next --precision import folder --pre
next "" import folder ""                # a folder's name, which shells know
next "--splits --features --validation" import xlsa17 ""
next validation train dem --select v
next --select=validation train dem --select=va
next "auto f32 bf16" inspect x --precision ""
next "auto cub cub-t1" train msdn --preset ""
next sun-t1 train --data auto msdn --preset sun-
next lambda= train eszsl -o x --set la
next --set=lambda= train eszsl --set=la
next "vectors=words vectors=one-hot" train msdn --set vectors=
next "vectors=one-hot" bench msdn --set vectors=o
next "" train --preset ""               # of which method?
next "bash zsh" completion ""
next "backbone" bench ba
next "ceilings" bench ce
next --arch bench backbone --a
next "--data --output --preset" train dem ""
next "builtin:descriptor builtin:pixels" extract --backbone ""
next builtin:pixels bench backbone --weights builtin:p
next "" predict m.model ""

# Completion as bash asks for it, which cuts words at = and :.
if command -v bash >/dev/null; then
    "$unseen" completion bash >script || fail "completion bash"
    complete() { # the words typed so far, the last one to be completed
        PATH=$(dirname "$unseen"):$PATH bash -c '. ./script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _unseen; echo "${COMPREPLY[*]}"' bash "$@"
    }
    [ "$(complete unseen im)" = import ] || fail "completes commands"
    [ "$(complete unseen train dem --select v)" = validation ] || fail "completes choices"
    [ "$(complete unseen train dem --select = va)" = validation ] || fail "completes behind ="
    [ "$(complete unseen train dem --select =)" = "validation test none" ] || fail "completes at ="
    [ "$(complete unseen train dem --select=va)" = --select=validation ] || fail "= in a word"
    [ "$(complete unseen train msdn --set vectors = o)" = one-hot ] || fail "completes settings"
    [ "$(complete unseen train msdn --set = vectors = o)" = one-hot ] || fail "completes --set=k=v"
    [ "$(complete unseen extract --backbone = builtin : d)" = descriptor ] || fail "completes at :"
    [ "$(complete unseen train --select = test m)" = msdn ] || fail "completes behind --select=test"
else
    left_out "bash's completion: there is no bash"
fi
"$unseen" completion zsh >_unseen
head -1 _unseen | grep -q '^#compdef unseen' || fail "completion zsh"
if command -v zsh >/dev/null; then
    complete() { # the words typed so far, the last one to be completed
        PATH=$(dirname "$unseen"):$PATH zsh -fc 'compdef() { :; }; _files() { echo files; }
            compset() { :; }
            compadd() { while [ "$1" != -- ]; do shift; done; shift; [ $# = 0 ] || echo $*; }
            . ./_unseen; words=("$@"); CURRENT=$#; PREFIX=$words[-1]; _unseen' zsh "$@"
    }
    [ "$(complete unseen im)" = import ] || fail "zsh completes commands"
    [ "$(complete unseen train dem --select=va)" = --select=validation ] || fail "zsh: behind ="
    [ "$(complete unseen train msdn --set vec)" = vectors= ] || fail "zsh completes settings"
    [ "$(complete unseen predict m.model '')" = files ] || fail "zsh completes files"
else
    left_out "zsh's completion: there is no zsh"
fi
expect 2 "which shell" "$unseen" completion
finish
