/* test_parts.c - the file of parts: written, read, and refused where it is wrong. */
#include "unit/data_sample.h"

#include "data/parts.h"

enum { P = 3 };

/* Parts of the sample data set, in static memory. */
static un_parts make_parts(int points) {
    static char *names[P] = {"beak", "left wing", "tail"};
    static float boxes[N * P * 4];
    static unsigned char visible[N * P];
    static float objects[N * 4];
    static size_t numbers[2] = {1, 2};
    static un_part_list lists[A];
    memset(boxes, 0, sizeof boxes);
    for (size_t i = 0; i < (size_t)N * P; i++) {
        float *b = boxes + 4 * i;
        visible[i] = i % 3 != 0;
        if (!visible[i]) continue;
        b[0] = b[2] = (float)(i % 7) / 8;
        b[1] = b[3] = (float)(i % 5) / 8;
        if (!points) b[2] += 0.125f;
    }
    for (size_t i = 0; i < N; i++) {
        objects[4 * i] = 0.25f;
        objects[4 * i + 1] = 0;
        objects[4 * i + 2] = 1;
        objects[4 * i + 3] = 0.5f;
    }
    for (size_t a = 0; a < A; a++) lists[a] = (un_part_list){0};
    lists[1] = (un_part_list){2, numbers};
    lists[3] = (un_part_list){1, numbers};
    return (un_parts){.image_count = N,
                      .part_count = P,
                      .names = names,
                      .points = points,
                      .boxes = boxes,
                      .visible = visible,
                      .objects = objects,
                      .attribute_parts_count = 1,
                      .attribute_parts = {{"att", A, lists}}};
}

static void test_round_trip(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    for (int points = 0; points < 2; points++) {
        un_parts p = make_parts(points);
        un_parts q;
        if (points) p.objects = NULL;
        assert_int_equal(un_parts_write(&p, g_folder, &d), UNSEEN_OK);
        assert_true(un_parts_exist(g_folder));
        if (un_parts_open(&q, g_folder, &d)) fail_msg("%s", un_error());
        assert_int_equal(q.points, points);
        assert_int_equal(q.part_count, P);
        assert_string_equal(q.names[1], "left wing");
        assert_memory_equal(q.boxes, p.boxes, sizeof(float) * N * P * 4);
        assert_memory_equal(q.visible, p.visible, N * P);
        if (points)
            assert_null(q.objects);
        else
            assert_memory_equal(q.objects, p.objects, sizeof(float) * N * 4);
        const un_part_list *list = un_parts_of_attribute(&q, "att", 1);
        assert_int_equal(list->count, 2);
        assert_int_equal(list->items[1], 2);
        assert_int_equal(un_parts_of_attribute(&q, "att", 0)->count, 0);
        assert_null(un_parts_of_attribute(&q, "att", A));
        assert_null(un_parts_of_attribute(&q, "sent", 0));
        un_parts_close(&q);
    }
    drop(&d);
}

/* What the writer refuses the reader would, too: one check stands before both. */
static void test_refusals(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    un_parts p = make_parts(0);
    size_t shown = 1; /* a visible part */
    float saved[4];
    memcpy(saved, p.boxes + 4 * shown, sizeof saved);
    static const struct {
        float box[4];
        const char *why;
    } boxes[] = {{{0.5f, 0.2f, 0.4f, 0.3f}, "inside out"},
                 {{-0.1f, 0.2f, 0.4f, 0.3f}, "within 0 and 1"},
                 {{0.1f, 0.2f, 1.4f, 0.3f}, "within 0 and 1"},
                 {{NAN, 0.2f, 0.4f, 0.3f}, "within 0 and 1"}};
    for (size_t k = 0; k < sizeof boxes / sizeof *boxes; k++) {
        memcpy(p.boxes + 4 * shown, boxes[k].box, sizeof saved);
        util_fails(un_parts_write(&p, g_folder, &d), UNSEEN_E_FORMAT, boxes[k].why);
    }
    memcpy(p.boxes + 4 * shown, saved, sizeof saved);
    p.points = 1;
    util_fails(un_parts_write(&p, g_folder, &d), UNSEEN_E_FORMAT, "should be a point");
    p.points = 0;
    p.visible[shown] = 2;
    util_fails(un_parts_write(&p, g_folder, &d), UNSEEN_E_FORMAT, "visibility");
    p.visible[shown] = 0;
    util_fails(un_parts_write(&p, g_folder, &d), UNSEEN_E_FORMAT, "invisible");
    p.visible[shown] = 1;
    p.objects[2] = 2;
    util_fails(un_parts_write(&p, g_folder, &d), UNSEEN_E_FORMAT, "object's box");
    p.objects[2] = 1;
    size_t far = P;
    p.attribute_parts[0].lists[0] = (un_part_list){1, &far};
    util_fails(un_parts_write(&p, g_folder, &d), UNSEEN_E_FORMAT, "names part 3");
    p.attribute_parts[0].lists[0] = (un_part_list){0};
    p.attribute_parts[0].width = A - 1;
    util_fails(un_parts_write(&p, g_folder, &d), UNSEEN_E_FORMAT, "3 entries for the 4");
    p.attribute_parts[0].width = A;
    p.attribute_parts[0].semantics = "sent";
    util_fails(un_parts_write(&p, g_folder, &d), UNSEEN_E_FORMAT, "\"sent\"");
    p.attribute_parts[0].semantics = "att";
    p.image_count = N - 1;
    util_fails(un_parts_write(&p, g_folder, &d), UNSEEN_E_FORMAT, "parts of 79 images");
    drop(&d);
}

/* Every byte of the header changed, and every length of the file. */
static void test_damaged(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    un_parts p = make_parts(0);
    un_parts q;
    char *bytes = NULL;
    size_t size = 0;
    const char *path = in_folder("parts.safetensors");
    assert_int_equal(un_parts_write(&p, g_folder, &d), UNSEEN_OK);
    assert_int_equal(un_file_read(path, 1 << 24, &bytes, &size), UNSEEN_OK);
    for (size_t i = 0; i < 900 && i < size; i += 3) {
        bytes[i] = (char)(bytes[i] ^ 0x15);
        assert_int_equal(un_file_write(path, bytes, size), UNSEEN_OK);
        if (un_parts_open(&q, g_folder, &d) == UNSEEN_OK) un_parts_close(&q);
        bytes[i] = (char)(bytes[i] ^ 0x15);
    }
    for (size_t n = 0; n < size; n += 97) {
        assert_int_equal(un_file_write(path, bytes, n), UNSEEN_OK);
        assert_int_not_equal(un_parts_open(&q, g_folder, &d), UNSEEN_OK);
    }
    free(bytes);
    drop(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_damaged)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
