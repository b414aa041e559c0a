/* explain_parts.h - what the files of explain_files.h share. */
#ifndef UN_ENGINE_EXPLAIN_PARTS_H
#define UN_ENGINE_EXPLAIN_PARTS_H

#include "base/json.h"
#include "engine/explain_files.h"

/* The score of attribute i, branches added up; the explanation must have scores. */
float un_explain_found(const un_explanation *explanation, size_t i);
/* Whether the attribute `number` is in one of the lists that are shown. */
int un_explain_shown(const un_explain_choice *choice, size_t number);
/* "attributes", "calibration" … as in the JSON. */
const char *un_decided_by_name(un_decided_by decided_by);
/* A new reference. */
un_status un_explain_json(const un_explanation *explanation, const un_classifier *classifier,
                          const char *image, const char *note, const un_explain_choice *choice,
                          json_t **out);

#endif
