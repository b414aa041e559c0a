/* registry.c - the list of methods. */
#include <string.h>

#include "base/json.h"
#include "method/dem/dem.h"
#include "method/duet/duet.h"
#include "method/eszsl/eszsl.h"
#include "method/method.h"
#include "method/msdn/msdn.h"

const un_method_class *const un_methods[] = {&un_method_dem, &un_method_msdn, &un_method_duet,
                                             &un_method_eszsl, NULL};

un_status un_method_find(const char *name, const un_method_class **out) {
    const char *names[16];
    size_t n = 0;
    for (const un_method_class *const *m = un_methods; *m; m++) {
        if (!strcmp((*m)->name, name)) {
            *out = *m;
            return UNSEEN_OK;
        }
        names[n++] = (*m)->name;
    }
    const char *near = un_nearest_name(name, names, n);
    return un_fail(UNSEEN_E_ARGUMENT, "there is no method \"%.100s\"%s%s%s", name,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

void un_method_grid(const un_method *method, size_t *height, size_t *width) {
    if (method->class->attention_grid) method->class->attention_grid(method, height, width);
}

size_t un_method_loss_count(const un_method_class *class) {
    size_t n = 0;
    while (class->losses[n]) n++;
    return n;
}
