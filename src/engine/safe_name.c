/* safe_name.c - file names from other people's names; see explain_files.h. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "engine/explain_files.h"

enum { LONGEST = 80 };

static int harmless(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

un_status un_safe_name(const char *text, int without_extension, char **out) {
    const char *slash = strrchr(text, '/');
    const char *base = slash && slash[1] ? slash + 1 : text;
    size_t n = strlen(base), used = 0;
    const char *dot = strrchr(base, '.');
    if (without_extension && dot && dot > base) n = (size_t)(dot - base);
    if (n > LONGEST) n = LONGEST;
    char *name = NULL;
    UN_TRY(un_alloc(n + 2, 1, &name));
    for (size_t i = 0; i < n; i++) {
        int inner_dot = base[i] == '.' && used > 0 && i + 1 < n;
        name[used++] = harmless(base[i]) || inner_dot ? base[i] : '_';
    }
    if (used == 0) name[used++] = '_';
    name[used] = '\0';
    *out = name;
    return UNSEEN_OK;
}
