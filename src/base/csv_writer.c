/* csv_writer.c - see csv_writer.h. */
#include "base/csv_writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

un_status un_csv_writer_open(un_csv_writer *csv) {
    *csv = (un_csv_writer){0};
    csv->stream = open_memstream(&csv->text, &csv->size);
    return csv->stream ? UNSEEN_OK : un_fail_memory(0);
}

static void begin_field(un_csv_writer *csv) {
    if (csv->begun) fputc(',', csv->stream);
    csv->begun = 1;
}

void un_csv_writer_text(un_csv_writer *csv, const char *text) {
    int formula = *text && strchr("=+-@\t\r", *text) != NULL;
    int quoted = strpbrk(text, ",\"\n\r") != NULL;
    begin_field(csv);
    if (quoted) fputc('"', csv->stream);
    if (formula) fputc('\'', csv->stream);
    for (const char *c = text; *c; c++) {
        if (*c == '"') fputc('"', csv->stream);
        fputc(*c, csv->stream);
    }
    if (quoted) fputc('"', csv->stream);
}

void un_csv_writer_number(un_csv_writer *csv, double x) {
    begin_field(csv);
    if (isfinite(x)) fprintf(csv->stream, "%.17g", x);
}

void un_csv_writer_print(un_csv_writer *csv, const char *format, ...) {
    va_list values;
    begin_field(csv);
    va_start(values, format);
    vfprintf(csv->stream, format, values);
    va_end(values);
}

void un_csv_writer_row(un_csv_writer *csv) {
    fputc('\n', csv->stream);
    csv->begun = 0;
}

un_status un_csv_writer_end(un_csv_writer *csv) {
    int failed = ferror(csv->stream);
    if (fclose(csv->stream) != 0) failed = 1;
    csv->stream = NULL;
    if (!failed) return UNSEEN_OK;
    free(csv->text);
    csv->text = NULL;
    return un_fail_memory(csv->size);
}

un_status un_csv_writer_write(un_csv_writer *csv, const char *path) {
    UN_TRY(un_csv_writer_end(csv));
    un_status status = un_file_write(path, csv->text, csv->size);
    free(csv->text);
    csv->text = NULL;
    return status;
}
