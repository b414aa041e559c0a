/*
 * file_kind.h - what a file is, told from its first bytes, never from its name: so that a reader
 * that was given another kind of file can say which, and what to do.
 *
 * The one list of magic numbers of the project. It tells kinds apart, no more: a file that begins
 * like a JPEG may still be damaged.
 */
#ifndef UN_BASE_FILE_KIND_H
#define UN_BASE_FILE_KIND_H

#include "base/status.h"

typedef enum {
    UN_KIND_UNKNOWN,
    UN_KIND_EMPTY,
    UN_KIND_LFS_POINTER, /* what Git leaves where Git LFS did not fetch the file */
    UN_KIND_HTML,
    UN_KIND_JSON,
    UN_KIND_TEXT, /* plain text, a table perhaps */
    UN_KIND_UTF16,
    UN_KIND_SAFETENSORS,
    UN_KIND_PYTORCH,     /* zip or pickle */
    UN_KIND_PYTORCH_ZIP, /* torch.save since 1.6 */
    UN_KIND_NPY,
    UN_KIND_NPZ,
    UN_KIND_HDF5, /* .h5, Keras, MAT v7.3 written by Python */
    UN_KIND_MAT,  /* v5 */
    UN_KIND_MAT73,
    UN_KIND_ONNX,
    UN_KIND_GGUF,
    UN_KIND_TFLITE,
    UN_KIND_EXCEL,  /* .xlsx */
    UN_KIND_OFFICE, /* .xls and other old ones */
    UN_KIND_ZIP,
    UN_KIND_GZIP,
    UN_KIND_ARCHIVE, /* tar, bzip2, xz, zstd, 7z, RAR */
    UN_KIND_PARQUET,
    UN_KIND_JPEG,
    UN_KIND_PNG,
    UN_KIND_WEBP,
    UN_KIND_TIFF,
    UN_KIND_GIF,
    UN_KIND_BMP,
    UN_KIND_HEIF, /* HEIC and AVIF */
    UN_KIND_RAW,  /* a camera's */
    UN_KIND_JXL,
    UN_KIND_JP2,
    UN_KIND_SVG,
    UN_KIND_XML,
    UN_KIND_PSD,
    UN_KIND_PDF,
    UN_KIND_ICO,
    UN_KIND_FILM,
    UN_KIND_COUNT
} un_file_kind;

/* How many bytes from the start are enough to tell; more do no harm. */
enum { UN_KIND_BYTES = 512 };

/* The kind of a file that begins with these n bytes and, if n < UN_KIND_BYTES, ends there. */
un_file_kind un_kind_of(const void *bytes, size_t n);
/* Whether these n bytes have the signature of HDF5 at byte `at`: a file has it at 0, 512, 1024,
 * 2048, …, before it is room for others. */
int un_kind_hdf5_at(const void *bytes, size_t n, size_t at);
/* The kind of the file at `path`; UN_KIND_UNKNOWN also where it cannot be read. Does not wait for
 * the writer of a FIFO. */
un_file_kind un_kind_of_file(const char *path);

/* With its article, to follow "it is": "a Git LFS pointer", "a PNG picture"; NULL if unknown. */
const char *un_kind_name(un_file_kind kind);
/* What can be done about it, to follow a semicolon: "fetch the file itself with `git lfs pull`";
 * NULL if nothing helps in general. */
const char *un_kind_advice(un_file_kind kind);
/* Whether it is a picture, readable here or not. PDF, XML and films are none. */
int un_kind_is_picture(un_file_kind kind);

/* UNSEEN_E_FORMAT with "PATH: not EXPECTED: it is KIND; ADVICE", or, of an unknown kind,
 * "PATH: not EXPECTED" alone. */
un_status un_fail_kind(const char *path, const char *expected, un_file_kind kind);

/* ---- whether pictures are turned as their EXIF orientation demands.
 *
 * Cameras store what the sensor saw and note how it was held; viewers turn the picture, the
 * programs that made the published benchmarks did not. Whatever is learned from pictures that lie
 * must not be asked about pictures that stand: so the word travels from the data set to the recipe
 * of its features and from there into the models. ---- */

typedef enum {
    UN_ORIENTATION_UNSAID, /* files of before there was a choice; pictures were taken as stored */
    UN_ORIENTATION_STORED, /* as the pixels lie in the file */
    UN_ORIENTATION_EXIF    /* as a viewer shows them */
} un_orientation;

/* "stored" or "exif"; NULL if unsaid. */
const char *un_orientation_name(un_orientation orientation);
/* UNSEEN_E_ARGUMENT for any other text. */
un_status un_orientation_parse(const char *text, un_orientation *out);

#endif
