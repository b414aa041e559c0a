/*
 * cmd_completion.c - `unseen completion`: scripts for bash and zsh. They ask the program itself
 * what may stand next (--help=next), so that they know all that it knows.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* Readline replaces a piece of a word only, that behind the last sign of COMP_WORDBREAKS, and gives
 * the pieces: they are put together for the program, and what stands before the last is cut off. */
static const char g_bash[] = "_unseen() {\n"
                             "    local words=() n=0 joined=0 cut=0 word= front i\n"
                             "    for ((i = 1; i <= COMP_CWORD; i++)); do\n"
                             "        word=${COMP_WORDS[i]} cut=0\n"
                             "        [[ $word =~ ^[=:]+$ ]] && cut=1\n"
                             "        if ((n && (cut || joined))); then\n"
                             "            words[n - 1]+=$word\n"
                             "        else\n"
                             "            words[n++]=$word\n"
                             "        fi\n"
                             "        joined=$cut\n"
                             "    done\n"
                             "    front=${words[n - 1]}\n"
                             "    ((cut)) || front=${front%\"$word\"}\n"
                             "    COMPREPLY=()\n"
                             "    while IFS= read -r word; do\n"
                             "        COMPREPLY+=(\"${word#\"$front\"}\")\n"
                             "    done < <(unseen --help=next \"${words[@]}\" 2>/dev/null)\n"
                             "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null\n"
                             "    return 0\n"
                             "}\n"
                             "complete -o default -F _unseen unseen\n";

static const char g_zsh[] =
    "#compdef unseen\n"
    "_unseen() {\n"
    "    local -a list\n"
    "    list=(${(f)\"$(unseen --help=next \"${(@Q)words[2,CURRENT-1]}\" \"${(Q)PREFIX}\" "
    "2>/dev/null)\"})\n"
    "    if (( $#list )); then\n"
    "        compadd -S '' -- ${(M)list:#*=}\n"
    "        compadd -- ${list:#*=}\n"
    "    else\n"
    "        compset -P '--*='\n"
    "        _files\n"
    "    fi\n"
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
    fputs(!strcmp(a.shell, "zsh") ? g_zsh : g_bash, stdout);
    return UN_EXIT_OK;
}
