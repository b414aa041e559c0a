/*
 * terminal.c - standard output and standard error (cli.h): control characters are shown, not
 * obeyed, and on a terminal long lines are broken between words.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/foreign/utf8proc.h"
#include "base/names.h"

enum { ROOM = 4096, WORD = 512, NARROWEST = 20, USUAL = 80, DEEPEST = 40, HELD = 8 };

/* A stream over descriptor `fd`. */
typedef struct {
    int fd;
    size_t width; /* of the terminal; 0: lines are not broken */
    char part[4]; /* the beginning of a character of UTF-8 */
    size_t part_length;
    char word[WORD]; /* since the last blank, held back until it is known to fit */
    size_t word_length, word_columns;
    size_t column, indent;
    int at_margin; /* only blanks so far in this line */
    char out[ROOM];
    size_t used;
    int one_line; /* line feeds and tabs are shown, too */
    int failed;   /* errno of a write */
} guarded;

static void drain(guarded *g) {
    size_t done = 0;
    while (done < g->used && !g->failed) {
        ssize_t n = write(g->fd, g->out + done, g->used - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            g->failed = errno;
    }
    g->used = 0;
}

static void put(guarded *g, const char *bytes, size_t n) {
    if (g->used + n > ROOM) drain(g);
    memcpy(g->out + g->used, bytes, n);
    g->used += n;
}

static void end_word(guarded *g) {
    if (g->word_length == 0) return;
    if (g->width > 0 && g->column + g->word_columns > g->width && !g->at_margin) {
        put(g, "\n", 1);
        for (size_t i = 0; i < g->indent + 2; i++) put(g, " ", 1);
        g->column = g->indent + 2;
    }
    put(g, g->word, g->word_length);
    g->column += g->word_columns;
    g->at_margin = 0;
    g->word_length = g->word_columns = 0;
}

/* A character, or what stands for it: `columns` wide. */
static void add(guarded *g, const char *bytes, size_t n, size_t columns) {
    if (g->word_length + n > WORD) end_word(g);
    memcpy(g->word + g->word_length, bytes, n);
    g->word_length += n;
    g->word_columns += columns;
}

static void add_blank(guarded *g, char c) {
    end_word(g);
    if (c == '\n') {
        put(g, "\n", 1);
        g->column = g->indent = 0;
        g->at_margin = 1;
        return;
    }
    /* Past the last column it would be the first character of another line. */
    if (g->width == 0 || g->column < g->width) put(g, &c, 1);
    g->column += c == '\t' ? 8 - g->column % 8 : 1;
    if (g->at_margin && g->column < DEEPEST) g->indent = g->column;
}

/* Control characters, and those that turn the direction of what follows. */
static int is_harmful(int32_t point) {
    return point < 32 || (point >= 0x7F && point < 0xA0) || (point >= 0x202A && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0x2028 || point == 0x2029;
}

/* By hand: a signal handler may not call snprintf. */
static void add_code(guarded *g, char kind, unsigned code, unsigned digits) {
    char text[8] = {'\\', kind};
    for (unsigned i = 0; i < digits; i++)
        text[2 + i] = "0123456789abcdef"[code >> 4 * (digits - 1 - i) & 15];
    add(g, text, 2 + digits, 2 + digits);
}

/* Unicode's widths are loaded before the first character: a signal handler writes, too. Without
 * them all are a column wide. */
static int g_widths;

static void add_point(guarded *g, int32_t point, const char *bytes, size_t n) {
    int width = point >= 0x80 && g_widths ? utf8proc_charwidth(point) : 1;
    if (point == ' ' || ((point == '\n' || point == '\t') && !g->one_line)) {
        add_blank(g, (char)point);
    } else if (is_harmful(point)) {
        add_code(g, 'u', (unsigned)point, 4);
    } else {
        add(g, bytes, n, width > 0 ? (size_t)width : 0);
    }
}

/* How long the character is that begins with a byte; 1 where none does. */
static size_t length_of(unsigned char c) { return c < 0xC2 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4; }

static void add_byte(guarded *g, char byte) {
    unsigned char c = (unsigned char)byte;
    /* A new character begins where the one before was not finished. */
    int broken = g->part_length > 0 && (c & 0xC0) != 0x80;
    for (size_t i = 0; broken && i < g->part_length; i++)
        add_code(g, 'x', (unsigned char)g->part[i], 2);
    if (broken) g->part_length = 0;
    g->part[g->part_length++] = byte;
    if (g->part_length < length_of((unsigned char)g->part[0])) return;
    int32_t point = -1;
    size_t n = g->part_length;
    g->part_length = 0;
    if (un_utf8_next(g->part, n, &point) == n) {
        add_point(g, point, g->part, n);
        return;
    }
    for (size_t i = 0; i < n; i++) add_code(g, 'x', (unsigned char)g->part[i], 2);
}

static ssize_t guarded_write(void *cookie, const char *bytes, size_t n) {
    guarded *g = cookie;
    for (size_t i = 0; i < n; i++) add_byte(g, bytes[i]);
    if (g->width == 0) end_word(g); /* nothing to wait for */
    drain(g);
    if (!g->failed) return (ssize_t)n;
    errno = g->failed;
    g->failed = 0;
    return 0; /* the stream's error */
}

static size_t terminal_width(int fd) {
    struct winsize size = {0};
    if (!isatty(fd)) return 0;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return USUAL;
    return size.ws_col < NARROWEST ? 0 : size.ws_col;
}

static void guard(guarded *g, int fd, FILE **stream, int mode) {
    const cookie_io_functions_t functions = {.write = guarded_write};
    *g = (guarded){.fd = fd, .width = terminal_width(fd), .at_margin = 1};
    FILE *fresh = fopencookie(g, "w", functions);
    if (!fresh) return;
    (void)setvbuf(fresh, NULL, mode, BUFSIZ);
    *stream = fresh;
}

static guarded g_output, g_errors;

void un_cli_guard_streams(void) {
    g_widths = un_foreign_need(UN_UTF8PROC) == UNSEEN_OK;
    guard(&g_output, STDOUT_FILENO, &stdout, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF);
    guard(&g_errors, STDERR_FILENO, &stderr, _IOLBF);
}

void un_cli_keep_lines(void) {
    fflush(stdout);
    end_word(&g_output);
    g_output.width = 0;
}

void un_cli_control(const char *bytes) {
    fflush(stderr);
    if (write(STDERR_FILENO, bytes, strlen(bytes)) < 0) return; /* a progress line less */
}

void un_cli_write_notice(const char *text) {
    guarded g = {.fd = STDERR_FILENO, .one_line = 1};
    for (const char *c = text; *c; c++) add_byte(&g, *c);
    for (size_t i = 0; i < g.part_length; i++) add_code(&g, 'x', (unsigned char)g.part[i], 2);
    end_word(&g);
    drain(&g);
}

const char *un_cli_name(const char *name) {
    static _Thread_local char *held[HELD];
    static _Thread_local size_t next;
    size_t blanks = 0, length = 0;
    if (!name) return "?";
    for (const char *c = name; *c; c++) blanks += *c == '\n' || *c == '\t';
    if (blanks == 0) return name;
    char *line = malloc(strlen(name) + 5 * blanks + 1);
    if (!line) return "(no memory to show it)";
    for (const char *c = name; *c; c++) {
        if (*c == '\n' || *c == '\t') {
            memcpy(line + length, *c == '\n' ? "\\u000a" : "\\u0009", 6);
            length += 6;
        } else {
            line[length++] = *c;
        }
    }
    line[length] = 0;
    free(held[next]);
    held[next] = line;
    next = (next + 1) % HELD;
    return line;
}
