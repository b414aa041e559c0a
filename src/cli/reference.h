/* reference.h - a command's option tables as a manual page and for shell completion. */
#ifndef UN_CLI_REFERENCE_H
#define UN_CLI_REFERENCE_H

#include <argp.h>

/* Prints the reference of `program` ("unseen train") to standard output. form "man": a manual
 * page; "options": a line for each option, name, argument and meaning with tabs between. An exit
 * code. */
int un_cli_reference(const struct argp *argp, const char *program, const char *form);

#endif
