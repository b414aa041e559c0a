/* semantics_file.c - see semantics_file.h. */
#include "data/readers/semantics_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "data/readers/import_parts.h"
#include "data/readers/validation.h"

un_status un_mat_class_names(un_mat *mat, un_arena *arena, char ***names, size_t *count) {
    *count = 0;
    if (!un_mat_find(mat, "allclasses_names")) return UNSEEN_OK;
    UN_TRY(un_mat_read_strings(mat, "allclasses_names", arena, names, count));
    return un_import_check_names(*names, *count, un_mat_path(mat), 1);
}

un_status un_mat_add_semantics(un_dataset *d, un_mat *mat, const char *variable, const char *name,
                               int by_rows, const size_t *class_map) {
    const un_mat_variable *v = NULL;
    double *values = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_mat_require(mat, variable, UN_MAT_NUMERIC, &v));
    if (d->semantics_count == UN_MAX_SEMANTICS)
        return un_fail(UNSEEN_E_ARGUMENT, "a data set holds at most %d semantics",
                       UN_MAX_SEMANTICS);
    if (un_dataset_semantics(d, name))
        return un_fail(UNSEEN_E_ARGUMENT, "there are two semantics called \"%s\"; rename one",
                       name);
    un_semantics *s = &d->semantics[d->semantics_count];
    *s = (un_semantics){.width = v->dims[by_rows ? 1 : 0]};
    size_t stride = by_rows ? v->dims[0] : 1; /* between the values of one class */
    char *copy = NULL;
    UN_GO(un_arena_string(&d->arena, name, &copy));
    UN_GO(un_mat_read_double(mat, variable, &values));
    UN_GO(un_arena_alloc(&d->arena, d->class_count * s->width, sizeof *s->values, &s->values));
    for (size_t c = 0; c < d->class_count; c++) {
        size_t base = by_rows ? class_map[c] : class_map[c] * s->width;
        for (size_t a = 0; a < s->width; a++) {
            float x = (float)values[base + a * stride];
            if (!isfinite(x))
                UN_GO(un_fail(UNSEEN_E_FORMAT,
                              "%s: \"%s\" is not a finite number for class \"%s\", attribute %zu",
                              un_mat_path(mat), variable, d->classes[c], a + 1));
            s->values[c * s->width + a] = x;
        }
    }
    s->name = copy;
    d->semantics_count++;
done:
    free(values);
    return status;
}

static un_status map_by_name(un_dataset *d, const char *path, char *const *names, size_t count,
                             size_t *map) {
    un_name_index index;
    un_name_report report;
    UN_TRY(un_name_index_make(&index, names, count));
    un_status status = un_names_match(&index, d->classes, d->class_count, map, &report);
    un_name_index_free(&index);
    UN_TRY(status);
    if (report.missing.count > 0)
        return un_fail(UNSEEN_E_FORMAT, "%s has no class %s%s", path, report.missing.text,
                       un_name_list_more(&report.missing));
    if (report.alike.count == 0) return UNSEEN_OK;
    return un_dataset_note(d, "%s: classes that are spelt otherwise: %s%s", path, report.alike.text,
                           un_name_list_more(&report.alike));
}

/* Which of the `available` classes of a file each of ours is: by name where the
 * file names them, else by position, and then the numbers must agree. */
static un_status map_classes(un_dataset *d, un_mat *mat, size_t available, size_t *map) {
    char **names = NULL;
    size_t count = 0;
    UN_TRY(un_mat_class_names(mat, &d->arena, &names, &count));
    if (count > 0 && count != available)
        return un_fail(UNSEEN_E_FORMAT, "%s: allclasses_names has %zu names for %zu classes",
                       un_mat_path(mat), count, available);
    if (count == 0 && available != d->class_count)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s has %zu classes without names, the data set has %zu; they cannot be "
                       "matched",
                       un_mat_path(mat), available, d->class_count);
    if (count > 0) return map_by_name(d, un_mat_path(mat), names, count, map);
    for (size_t c = 0; c < d->class_count; c++) map[c] = c;
    return UNSEEN_OK;
}

/* By the file's own names of classes, else by the number of ours. */
static un_status orient(un_dataset *d, un_mat *mat, const char *variable, int by_rows) {
    char **names = NULL;
    size_t count = 0;
    UN_TRY(un_mat_class_names(mat, &d->arena, &names, &count));
    return un_import_orient(d, mat, variable, by_rows ? 0 : 1, count ? count : d->class_count);
}

un_status un_import_semantics_file(un_dataset *d, const un_named_path *extra) {
    un_mat *mat = NULL;
    size_t *map = NULL;
    const un_mat_variable *v = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_mat_open(&mat, extra->path));
    int by_rows = !un_mat_find(mat, "att") && un_mat_find(mat, "embeddings");
    const char *variable = by_rows ? "embeddings" : "att";
    if (!un_mat_find(mat, variable))
        UN_GO(un_fail(UNSEEN_E_FORMAT,
                      "%s has neither \"att\" (attributes x classes) nor \"embeddings\" (classes x "
                      "width)",
                      extra->path));
    UN_GO(orient(d, mat, variable, by_rows));
    UN_GO(un_mat_require(mat, variable, UN_MAT_NUMERIC, &v));
    if (v->dims[0] == 0 || v->dims[1] == 0)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is empty", extra->path, variable));
    UN_GO(un_alloc(d->class_count, sizeof *map, &map));
    UN_GO(map_classes(d, mat, v->dims[by_rows ? 0 : 1], map));
    UN_GO(un_mat_add_semantics(d, mat, variable, extra->name, by_rows, map));
    if (!un_mat_find(mat, "allclasses_names"))
        UN_GO(un_dataset_note(d,
                              "semantics \"%s\" were matched to the classes by position: their "
                              "file has no class names",
                              extra->name));
done:
    free(map);
    un_mat_close(mat);
    return status;
}
