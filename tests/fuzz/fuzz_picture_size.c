/* fuzz_picture_size.c - width and height from the head of a picture file, undecoded. */
#include "fuzz.h"

#include "data/readers/pictures.h"

int fuzz_run_picture_size(const uint8_t *data, size_t size) {
    size_t width = 0, height = 0;
    if (!fuzz_taken(un_picture_size(fuzz_file("a.jpg", data, size), &width, &height))) return 0;
    FUZZ_REQUIRE(width > 0 && height > 0);
    return 1;
}

void fuzz_seed_picture_size(void) {
    fuzz_seed("png", "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x08\x08\x02\0\0\0", 29);
    fuzz_seed("jpeg",
              "\xFF\xD8\xFF\xE0\0\x04\0\0\xFF\xC0\0\x11\x08\0\x08\0\x10\x03\x01\x22\0\x02\x11\x01"
              "\x03\x11\x01",
              27);
    fuzz_seed("bad_cut", "\xFF\xD8\xFF\xE0\0\x04\0\0\xFF\xC0", 10);
    fuzz_seed_text("bad_text", "no picture");
}
