/* version.c - the version, set by the build. */
#include "unseen.h"

const char *unseen_version(void) { return UNSEEN_VERSION; }
