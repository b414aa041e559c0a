/* methods.c - the list of methods. It stands above them all; what they share is in method.c. */
#include "method/methods.h"

#include <string.h>

#include "base/names.h"
#include "method/cnzsl/cnzsl.h"
#include "method/dedn/dedn.h"
#include "method/dem/dem.h"
#include "method/duet/duet.h"
#include "method/eszsl/eszsl.h"
#include "method/msdn/msdn.h"

const un_method_class *const un_methods[] = {&un_method_dem,
                                             &un_method_msdn,
                                             &un_method_duet,
                                             &un_method_eszsl,
                                             &un_method_cnzsl,
                                             &un_method_dedn,
                                             NULL};

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
    return un_fail(UNSEEN_E_ARGUMENT, "there is no method \"%.100s\"%s", name,
                   un_did_you_mean(name, names, n).text);
}
