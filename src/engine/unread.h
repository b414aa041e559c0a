/* unread.h - the pictures of a data set that cannot be decoded for what they are, told from their
 * first bytes without decoding any. */
#ifndef UN_ENGINE_UNREAD_H
#define UN_ENGINE_UNREAD_H

#include "base/file_kind.h"
#include "data/dataset.h"

/* By kind of file; missing files and unknown bytes are in none. */
typedef struct {
    size_t images;
    size_t count[UN_KIND_COUNT];        /* of kinds that are not read here, 0 of the others */
    const char *example[UN_KIND_COUNT]; /* an image's name, borrowed from the data set */
} un_unread;

/* Looks at the first bytes of every picture below dataset->image_root; none without one. */
un_status un_unread_look(const un_dataset *dataset, un_unread *out);
/* "3 of 21 pictures cannot be read, "a/x.jxl" for one: it is …", released with free(). */
un_status un_unread_sentence(const un_unread *unread, un_file_kind kind, char **out);

#endif
