/* file_kind.c - kinds of files by their first bytes, names of orientations; see file_kind.h. */
#include "base/file_kind.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

typedef struct {
    const unsigned char *at;
    size_t size;
} head;

#define CONVERT                                                                                    \
    "convert it to safetensors (the manual, under BACKBONES, has a command for it): a pickle "     \
    "can run any program, so none is opened here"

static const struct {
    const char *name, *advice;
    int picture;
} g_kinds[UN_KIND_COUNT] = {
    [UN_KIND_EMPTY] = {"an empty file", NULL, 0},
    [UN_KIND_LFS_POINTER] = {"a Git LFS pointer, not the file itself",
                             "fetch that with `git lfs pull`", 0},
    [UN_KIND_HTML] = {"a web page (HTML)",
                      "a download may have ended at a page that asks for a login or a click", 0},
    [UN_KIND_JSON] = {"JSON text", NULL, 0},
    [UN_KIND_TEXT] = {"plain text", NULL, 0},
    [UN_KIND_UTF16] = {"text in UTF-16", "save it as UTF-8", 0},
    [UN_KIND_SAFETENSORS] = {"a safetensors file", NULL, 0},
    [UN_KIND_PYTORCH] = {"a file of PyTorch or another Python pickle", CONVERT, 0},
    [UN_KIND_PYTORCH_ZIP] = {"a file of PyTorch (torch.save)", CONVERT, 0},
    [UN_KIND_NPY] = {"a NumPy array (.npy)", NULL, 0},
    [UN_KIND_NPZ] = {"a NumPy archive (.npz)", NULL, 0},
    [UN_KIND_HDF5] = {"an HDF5 file", NULL, 0},
    [UN_KIND_MAT] = {"a MATLAB file (v5)", NULL, 0},
    [UN_KIND_MAT73] = {"a MATLAB file (v7.3)", NULL, 0},
    [UN_KIND_ONNX] = {"an ONNX network", "convert its source's weights to safetensors", 0},
    [UN_KIND_GGUF] = {"a GGUF file", "take the safetensors file of the same network", 0},
    [UN_KIND_TFLITE] = {"a TensorFlow Lite network",
                        "take the safetensors file of the same network", 0},
    [UN_KIND_EXCEL] = {"an Excel workbook or another Office document", "save the sheet as CSV", 0},
    [UN_KIND_OFFICE] = {"an old Excel workbook or another Office document", "save the sheet as CSV",
                        0},
    [UN_KIND_ZIP] = {"a zip archive", "unpack it", 0},
    [UN_KIND_GZIP] = {"compressed (gzip)", "unpack it", 0},
    [UN_KIND_ARCHIVE] = {"an archive", "unpack it", 0},
    [UN_KIND_PARQUET] = {"a Parquet table", "save it as CSV", 0},
    [UN_KIND_JPEG] = {"a JPEG picture", NULL, 1},
    [UN_KIND_PNG] = {"a PNG picture", NULL, 1},
    [UN_KIND_WEBP] = {"a WebP picture", NULL, 1},
    [UN_KIND_TIFF] = {"a TIFF picture", NULL, 1},
    [UN_KIND_GIF] = {"a GIF picture", NULL, 1},
    [UN_KIND_BMP] = {"a BMP picture", NULL, 1},
    [UN_KIND_HEIF] = {"a HEIF picture (HEIC, AVIF)", "convert it to JPEG or PNG", 1},
    [UN_KIND_RAW] = {"a camera's raw picture", "develop it to JPEG or PNG", 1},
    [UN_KIND_JXL] = {"a JPEG XL picture", "convert it to JPEG or PNG", 1},
    [UN_KIND_JP2] = {"a JPEG 2000 picture", "convert it to JPEG or PNG", 1},
    [UN_KIND_SVG] = {"an SVG drawing", "convert it to PNG", 1},
    [UN_KIND_XML] = {"XML text", NULL, 0},
    [UN_KIND_PSD] = {"a Photoshop picture", "convert it to JPEG or PNG", 1},
    [UN_KIND_PDF] = {"a PDF document", "save its pictures as JPEG or PNG", 0},
    [UN_KIND_ICO] = {"an icon", "convert it to PNG", 1},
    [UN_KIND_FILM] = {"a film", "save single frames as JPEG or PNG", 0},
};

const char *un_kind_name(un_file_kind kind) { return g_kinds[kind].name; }
const char *un_kind_advice(un_file_kind kind) { return g_kinds[kind].advice; }
int un_kind_is_picture(un_file_kind kind) { return g_kinds[kind].picture; }

static int begins(const head *h, size_t at, const char *magic, size_t n) {
    return h->size >= at + n && !memcmp(h->at + at, magic, n);
}

#define HDF5 "\x89HDF\r\n\x1a\n"

int un_kind_hdf5_at(const void *bytes, size_t n, size_t at) {
    size_t length = sizeof HDF5 - 1;
    return at <= n && n - at >= length && !memcmp((const char *)bytes + at, HDF5, length);
}

/* Magic numbers; several lines of one kind are alternatives. The first that fits counts. */
static const struct {
    size_t at;
    const char *magic;
    size_t length;
    un_file_kind kind;
} g_magic[] = {
#define M(at, text, kind)                                                                          \
    { at, text, sizeof text - 1, kind }
    M(0, "version https://git-lfs.github.com/", UN_KIND_LFS_POINTER),
    M(0, "\xff\xd8\xff", UN_KIND_JPEG),
    M(0, "\x89PNG\r\n\x1a\n", UN_KIND_PNG),
    M(0, "GIF87a", UN_KIND_GIF),
    M(0, "GIF89a", UN_KIND_GIF),
    M(8, "CR\x02", UN_KIND_RAW), /* Canon's, otherwise a TIFF */
    M(0, "IIRO", UN_KIND_RAW),   /* Olympus's */
    M(0, "IIU\0", UN_KIND_RAW),  /* Panasonic's */
    M(0, "FUJIFILMCCD-RAW", UN_KIND_RAW),
    M(0, "FOVb", UN_KIND_RAW),
    M(4, "ftypcrx ", UN_KIND_RAW),
    M(0, "II*\0", UN_KIND_TIFF),
    M(0, "MM\0*", UN_KIND_TIFF),
    M(0, "II+\0", UN_KIND_TIFF), /* BigTIFF */
    M(0, "MM\0+", UN_KIND_TIFF),
    M(0, "8BPS", UN_KIND_PSD),
    M(0, "\xff\x0a", UN_KIND_JXL),
    M(4, "JXL ", UN_KIND_JXL),
    M(4, "jP  ", UN_KIND_JP2),
    M(0, "\xff\x4f\xff\x51", UN_KIND_JP2),
    M(0, "%PDF", UN_KIND_PDF),
    M(0, "\0\0\1\0", UN_KIND_ICO),
    M(0, "\x1a\x45\xdf\xa3", UN_KIND_FILM), /* Matroska, WebM */
    M(0, HDF5, UN_KIND_HDF5),
    M(0, "MATLAB 7.3 MAT-file", UN_KIND_MAT73),
    M(0, "MATLAB 5.0 MAT-file", UN_KIND_MAT),
    M(0, "\x93NUMPY", UN_KIND_NPY),
    M(0, "GGUF", UN_KIND_GGUF),
    M(4, "TFL3", UN_KIND_TFLITE),
    M(0, "PAR1", UN_KIND_PARQUET),
    M(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", UN_KIND_OFFICE),
    M(0, "\x1f\x8b", UN_KIND_GZIP),
    M(0, "BZh", UN_KIND_ARCHIVE),
    M(0,
      "\xfd"
      "7zXZ\0",
      UN_KIND_ARCHIVE),
    M(0, "\x28\xb5\x2f\xfd", UN_KIND_ARCHIVE), /* zstd */
    M(0, "7z\xbc\xaf\x27\x1c", UN_KIND_ARCHIVE),
    M(0, "Rar!", UN_KIND_ARCHIVE),
    M(257, "ustar", UN_KIND_ARCHIVE),
#undef M
};

static int contains(const unsigned char *in, size_t n, const char *text) {
    return memmem(in, n, text, strlen(text)) != NULL;
}

/* By the name of the first entry, which is where the kinds differ. */
static un_file_kind kind_of_zip(const head *h) {
    if (!begins(h, 0, "PK\3\4", 4))
        return begins(h, 0, "PK\5\6", 4) ? UN_KIND_ZIP : UN_KIND_UNKNOWN;
    if (h->size < 30) return UN_KIND_ZIP;
    size_t length = (size_t)h->at[26] | (size_t)h->at[27] << 8;
    const unsigned char *name = h->at + 30;
    if (length > h->size - 30) length = h->size - 30;
    if (contains(name, length, "data.pkl") || contains(name, length, "/.format_version") ||
        contains(name, length, "/byteorder") || contains(name, length, "/.data/"))
        return UN_KIND_PYTORCH_ZIP;
    if (length > 4 && !memcmp(name + length - 4, ".npy", 4)) return UN_KIND_NPZ;
    if (contains(name, length, "[Content_Types].xml") || contains(name, length, "xl/") ||
        contains(name, length, "_rels/") || (length == 8 && !memcmp(name, "mimetype", 8)))
        return UN_KIND_EXCEL;
    return UN_KIND_ZIP;
}

/* Brands of the ISO media format (ISO/IEC 14496-12, 23008-12): pictures, else a film. */
static un_file_kind kind_of_iso_media(const head *h) {
    static const char *const pictures[] = {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1",
                                           "mif2", "msf1", "avif", "avis", "miaf", "jpeg"};
    if (!begins(h, 4, "ftyp", 4) || h->size < 12) return UN_KIND_UNKNOWN;
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        if (!memcmp(h->at + 8, pictures[i], 4)) return UN_KIND_HEIF;
    return UN_KIND_FILM;
}

/* RIFF files and those whose first two letters mean little by themselves. */
static un_file_kind kind_of_weak(const head *h) {
    if (begins(h, 0, "RIFF", 4) && begins(h, 8, "WEBP", 4)) return UN_KIND_WEBP;
    if (begins(h, 0, "RIFF", 4) && begins(h, 8, "AVI ", 4)) return UN_KIND_FILM;
    /* Protocol 2 to 5 of pickle; protobuf's field 1, a small number, then field 2, a text. */
    if (h->size > 2 && h->at[0] == 0x80 && h->at[1] >= 2 && h->at[1] <= 5) return UN_KIND_PYTORCH;
    if (h->size > 6 && h->at[0] == 0x08 && h->at[1] >= 1 && h->at[1] <= 32 && h->at[2] == 0x12 &&
        h->at[3] > 0 && h->at[3] < 64)
        return UN_KIND_ONNX;
    return UN_KIND_UNKNOWN;
}

static int is_text(const head *h) {
    for (size_t i = 0; i < h->size; i++)
        if (h->at[i] < 32 && !memchr("\t\n\v\f\r\33", h->at[i], 6)) return 0;
    return 1;
}

static int has_word(const head *h, size_t at, const char *word) {
    return h->size >= at + strlen(word) &&
           !strncasecmp((const char *)h->at + at, word, strlen(word));
}

static un_file_kind kind_of_text(const head *h) {
    size_t at = begins(h, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
    if (begins(h, 0, "\xff\xfe", 2) || begins(h, 0, "\xfe\xff", 2)) return UN_KIND_UTF16;
    if (!is_text(h)) return UN_KIND_UNKNOWN;
    while (at < h->size && memchr(" \t\r\n", h->at[at], 4)) at++;
    if (has_word(h, at, "<!doctype html") || has_word(h, at, "<html") || has_word(h, at, "<head") ||
        has_word(h, at, "<!--"))
        return UN_KIND_HTML;
    if (has_word(h, at, "<svg")) return UN_KIND_SVG;
    if (has_word(h, at, "<?xml"))
        return contains(h->at, h->size, "<svg")    ? UN_KIND_SVG
               : contains(h->at, h->size, "<html") ? UN_KIND_HTML
                                                   : UN_KIND_XML;
    if (at < h->size && (h->at[at] == '{' || h->at[at] == '[')) return UN_KIND_JSON;
    return UN_KIND_TEXT;
}

un_file_kind un_kind_of(const void *bytes, size_t n) {
    const head h = {bytes, n < UN_KIND_BYTES ? n : UN_KIND_BYTES};
    un_file_kind kind = UN_KIND_UNKNOWN;
    if (h.size == 0) return UN_KIND_EMPTY;
    /* First, as its first two bytes may be any: the length of a header below 2^32, and a brace. */
    if (begins(&h, 4, "\0\0\0\0{", 5)) return UN_KIND_SAFETENSORS;
    for (size_t i = 0; i < sizeof g_magic / sizeof *g_magic; i++)
        if (begins(&h, g_magic[i].at, g_magic[i].magic, g_magic[i].length)) return g_magic[i].kind;
    kind = kind_of_zip(&h);
    if (!kind) kind = kind_of_iso_media(&h);
    if (!kind) kind = kind_of_weak(&h);
    if (!kind) kind = kind_of_text(&h);
    /* Last: a word may begin with these two letters. */
    if ((kind == UN_KIND_UNKNOWN || h.size == 2) && begins(&h, 0, "BM", 2)) kind = UN_KIND_BMP;
    return kind;
}

un_file_kind un_kind_of_file(const char *path) {
    unsigned char bytes[UN_KIND_BYTES];
    struct stat st;
    size_t n = 0;
    int fd = un_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0) return UN_KIND_UNKNOWN;
    int regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    for (ssize_t got = 1; regular && got > 0 && n < sizeof bytes; n += (size_t)got) {
        got = read(fd, bytes + n, sizeof bytes - n);
        if (got < 0) regular = 0; /* it cannot be read */
        if (got <= 0) break;
    }
    close(fd);
    return regular ? un_kind_of(bytes, n) : UN_KIND_UNKNOWN;
}

un_status un_fail_kind(const char *path, const char *expected, un_file_kind kind) {
    const char *name = un_kind_name(kind), *advice = un_kind_advice(kind);
    return un_fail(UNSEEN_E_FORMAT, "%s: not %s%s%s%s%s", path, expected, name ? ": it is " : "",
                   name ? name : "", advice ? "; " : "", advice ? advice : "");
}

/* ---- orientation ---- */

const char *un_orientation_name(un_orientation orientation) {
    static const char *const names[] = {NULL, "stored", "exif"};
    return names[orientation];
}

un_status un_orientation_parse(const char *text, un_orientation *out) {
    for (un_orientation o = UN_ORIENTATION_STORED; o <= UN_ORIENTATION_EXIF; o++)
        if (!strcmp(text, un_orientation_name(o))) {
            *out = o;
            return UNSEEN_OK;
        }
    return un_fail(UNSEEN_E_ARGUMENT, "the orientation must be exif or stored, not \"%.40s\"",
                   text);
}
