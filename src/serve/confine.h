/*
 * confine.h - a process gives up what it will not need: files, sockets, other programs, other
 * processes, growth. What was opened and mapped before stays.
 */
#ifndef UN_SERVE_CONFINE_H
#define UN_SERVE_CONFINE_H

#include "base/status.h"

/* From now on this process, all its threads included, gets `memory` bytes of address space beyond
 * those that it has (0: no limit), writes no file, leaves no core, gains no rights, and:
 * - by limits: opens no descriptor of whatever kind;
 * - where the system filters calls (libseccomp): makes no call but those that computing, memory and
 *   threads need, and that read and write what is open. Others fail with EPERM. Memory is never made
 *   executable.
 * That this holds is tried. `lack` gets "" if all of it does, or why the filter does not. Fails if
 * not even the limits hold. */
un_status un_confine(size_t memory, char *lack, size_t size);

#endif
