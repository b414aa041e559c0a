/*
 * new_classes.h - classes that people describe in a file, for a trained model.
 *
 * Two forms of CSV or TSV:
 *     a table as the imports read it (data/readers/table.h): the first line names attributes, then
 *     a line a class, name first; attributes may be left out, and cells empty or "?"
 *         class,has_bill_color::red,has_size::small
 *         Northern Cardinal,0.9,1
 *     lines of what is known: NAME,ATTRIBUTE=VALUE,…
 *         Northern Cardinal,has_bill_color::red=0.9,has_size::small=1
 * What values mean, and what becomes of attributes that are not stated, is in
 * un_classifier_describe. What stood for unknown values when the data set was imported does so here.
 */
#ifndef UN_ENGINE_NEW_CLASSES_H
#define UN_ENGINE_NEW_CLASSES_H

#include "engine/classifier.h"

/* Fails with a sentence that names the file and the line. */
un_status un_new_classes_read(un_classifier *classifier, const char *path);

#endif
