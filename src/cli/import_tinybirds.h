/* import_tinybirds.h - a format of `unseen import` in a file of its own. */
#ifndef UN_CLI_IMPORT_TINYBIRDS_H
#define UN_CLI_IMPORT_TINYBIRDS_H

/* Runs `unseen import tinybirds`; argv[0] is what the parser calls the program. */
int un_import_tinybirds(int argc, char **argv);

#endif
