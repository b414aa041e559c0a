/*
 * confine.h - a process gives up what it will not need: system calls, memory without bounds, files,
 * sockets, other programs and processes. What was opened and mapped before stays. Foreign libraries
 * run in such processes where their bytes come from strangers (libhdf5, the server's pictures).
 */
#ifndef UN_BASE_CONFINE_H
#define UN_BASE_CONFINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* From now on this process, all its threads included, makes only the system calls that computing,
 * memory, and reading and writing what is open take; with `threads` those that start threads, without
 * them newer C libraries' fstat, which tells any file's size and times. Others fail with EPERM, and so
 * does setting limits. Memory is never made executable. It gains no rights by what it starts.
 * Returns 0 where the system does not let filter them. */
int un_filter_calls(int threads);

/* RLIMIT_AS in bytes such that `beyond` bytes of address space can be had beyond what is mapped now;
 * 0: the size cannot be told, or a sanitizer has its shadow there, and there is to be no limit. */
size_t un_memory_limit(size_t beyond);

/* All of it, threads allowed: un_filter_calls; `memory` bytes of address space beyond what is mapped
 * (0: no limit); `seconds` of processor time from the process's beginning, at whose end it is killed
 * (0: no limit); no descriptor of whatever kind is opened, no file grows, no core is left. That this
 * holds is tried. *filtered: 0 if the filter does not, and the limits are all there is. Fails if not
 * even they hold. */
un_status un_confine(size_t memory, uint64_t seconds, int *filtered);

#endif
