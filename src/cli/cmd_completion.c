/*
 * cmd_completion.c - `unseen completion`: scripts for bash and zsh. They ask the program itself
 * for the options of a command (--help=options), so that they know all that it knows.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* What both shells share: the words that may stand next. %s: how this shell gets a list of them. */
static const char g_words[] =
    "# The words that may follow `unseen` and the words given.\n"
    "_unseen_words() {\n"
    "    local command=$1 format=$2 current=$3 previous=$4 options argument\n"
    "    case $command in\n"
    "    '') unseen --help | sed -n 's/^  \\([a-z]*\\)  *.*/\\1/p'; return ;;\n"
    "    import)\n"
    "        if [ -z \"$format\" ]; then\n"
    "            unseen import --help | sed -n 's/^  \\([a-z0-9-]*\\)  *.*/\\1/p'\n"
    "            return\n"
    "        fi\n"
    "        options=$(unseen import \"$format\" --help=options 2>/dev/null) ;;\n"
    "    bench)\n"
    "        case $format in\n"
    "        backbone|ceilings) options=$(unseen bench \"$format\" --help=options 2>/dev/null) ;;\n"
    "        *) options=$(unseen bench --help=options 2>/dev/null) ;;\n"
    "        esac ;;\n"
    "    *) options=$(unseen \"$command\" --help=options 2>/dev/null) ;;\n"
    "    esac\n"
    "    argument=$(printf '%s\\n' \"$options\" | awk -F'\\t' -v o=\"$previous\" "
    "'$1 == o { print $2 }')\n"
    "    case $argument in\n"
    "    *'|'*) printf '%s\\n' \"$argument\" | tr '|' '\\n'; return ;;\n"
    "    P) [ \"$previous\" = --precision ] && printf 'auto\\nf32\\nbf16\\n'; return ;;\n"
    "    esac\n"
    "    [ \"$previous\" = --backbone ] && printf 'builtin:descriptor\\nbuiltin:pixels\\n'\n"
    "    if [ \"$command\" = train ] || [ \"$command\" = bench ]; then\n"
    "        [ -z \"$format\" ] && printf 'dem\\neszsl\\nmsdn\\nduet\\n'\n"
    "    fi\n"
    "    [ \"$command$format\" = bench ] && printf 'backbone\\nceilings\\n'\n"
    "    [ -z \"$argument\" ] && printf '%s\\n' \"$options\" | cut -f1\n"
    "}\n";

static const char g_bash[] =
    "_unseen() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local command= format=\n"
    "    [ \"$COMP_CWORD\" -gt 1 ] && command=${COMP_WORDS[1]}\n"
    "    [ \"$COMP_CWORD\" -gt 2 ] && format=${COMP_WORDS[2]}\n"
    "    COMPREPLY=($(compgen -W \"$(_unseen_words \"$command\" \"$format\" \"$current\" "
    "\"$previous\")\" -- \"$current\"))\n"
    "}\n"
    "complete -o default -F _unseen unseen\n";

static const char g_zsh[] =
    "_unseen() {\n"
    "    local command= format=\n"
    "    (( CURRENT > 2 )) && command=$words[2]\n"
    "    (( CURRENT > 3 )) && format=$words[3]\n"
    "    local -a list\n"
    "    list=(${(f)\"$(_unseen_words \"$command\" \"$format\" \"$words[CURRENT]\" "
    "\"$words[CURRENT-1]\")\"})\n"
    "    compadd -- $list\n"
    "    _files\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _unseen ]; then _unseen \"$@\"; else compdef _unseen unseen; fi\n";

typedef struct {
    un_cli_common common;
    const char *shell;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case ARGP_KEY_ARG:
        if (a->shell || (strcmp(text, "bash") != 0 && strcmp(text, "zsh") != 0))
            argp_error(state, "bash or zsh is wanted, not \"%s\"", text);
        a->shell = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->shell) argp_error(state, "which shell: bash or zsh");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    .parser = parse,
    .args_doc = "bash|zsh",
    .doc = "Prints what a shell needs to complete commands and options. For this shell only: "
           "source <(unseen completion bash)",
    .children = un_cli_common_children};

int un_cmd_completion(int argc, char **argv) {
    arguments a = {0};
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) return code;
    const int zsh = !strcmp(a.shell, "zsh");
    printf("%s%s%s", zsh ? "#compdef unseen\n" : "", g_words, zsh ? g_zsh : g_bash);
    return UN_EXIT_OK;
}
