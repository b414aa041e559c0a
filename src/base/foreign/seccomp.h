/* seccomp.h - libseccomp; see foreign.h. */
#ifndef UN_BASE_FOREIGN_SECCOMP_H
#define UN_BASE_FOREIGN_SECCOMP_H

#include <seccomp.h>

#include "base/foreign/foreign.h"

/* clang-format off */
#define UN_SECCOMP_FUNCTIONS(X) \
    X(seccomp_attr_set) X(seccomp_init) X(seccomp_load) X(seccomp_release) \
    X(seccomp_rule_add_array)
/* clang-format on */

UN_FOREIGN_TABLE(un_seccomp_table, UN_SECCOMP_FUNCTIONS)

#ifndef UN_FOREIGN_TABLES
#define seccomp_attr_set un_seccomp_table.seccomp_attr_set
#define seccomp_init un_seccomp_table.seccomp_init
#define seccomp_load un_seccomp_table.seccomp_load
#define seccomp_release un_seccomp_table.seccomp_release
#define seccomp_rule_add_array un_seccomp_table.seccomp_rule_add_array
#endif

#endif
