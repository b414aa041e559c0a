#include "cli/cli.h"
int un_cmd_report(int argc, char **argv) { (void)argc; (void)argv; return 0; }
