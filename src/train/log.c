/* log.c - the CSV log of a training: one row an evaluation (or, in the final run, as often). */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "train/run.h"

static void write_header(trainer *t) {
    fputs("run,step,epoch,loss", t->log);
    for (const char *const *name = t->options->class->losses; *name; name++)
        fprintf(t->log, ",%s", *name);
    fputs(",l2,T1,U,S,H,AUSUC,best_H,best_gamma,seconds\n", t->log);
}

un_status log_open(trainer *t, long offset) {
    const char *path = t->options->log_path;
    if (!path) return UNSEEN_OK;
    t->log = fopen(path, offset > 0 ? "r+e" : "we");
    if (!t->log && offset > 0) t->log = fopen(path, "we"); /* the log was removed meanwhile */
    if (!t->log) return un_fail_errno(errno, "cannot write the log %s", path);
    struct stat st;
    if (offset > 0 && (fstat(fileno(t->log), &st) != 0 || st.st_size < offset)) offset = 0;
    if (offset > 0) {
        /* Rows after the checkpoint will be written again. */
        if (ftruncate(fileno(t->log), offset) != 0 || fseek(t->log, offset, SEEK_SET) != 0)
            return un_fail_errno(errno, "cannot continue the log %s", path);
        return UNSEEN_OK;
    }
    write_header(t);
    return UNSEEN_OK;
}

long log_offset(const trainer *t) {
    if (!t->log) return 0;
    fflush(t->log);
    (void)fsync(fileno(t->log)); /* a checkpoint must not know more than the disk */
    return ftell(t->log);
}

un_status log_row(trainer *t, const evaluation *e) {
    size_t terms = un_method_loss_count(t->options->class);
    double n = t->loss_steps > 0 ? (double)t->loss_steps : 1.0;
    double total = 0;
    double seconds = un_now() - t->run_started;
    for (size_t i = 0; i <= terms; i++) total += t->loss_sum[i] / n;
    un_log(UNSEEN_LOG_DEBUG, "%s: epoch %zu, loss %.6g%s", t->task.name, t->epoch, total,
           e ? "" : " (final run)");
    if (t->log) {
        fprintf(t->log, "%s,%llu,%zu,%.9g", is_final(t) ? "final" : t->task.name,
                (unsigned long long)t->steps_done, t->epoch, total);
        for (size_t i = 0; i <= terms; i++) fprintf(t->log, ",%.9g", t->loss_sum[i] / n);
        if (e)
            fprintf(t->log, ",%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%.9g", e->T1, e->U, e->S, e->H,
                    e->AUSUC, e->best_H, e->best_gamma);
        else
            fputs(",,,,,,,", t->log);
        fprintf(t->log, ",%.3f\n", seconds);
        if (fflush(t->log) != 0)
            return un_fail_errno(errno, "cannot write the log %s", t->options->log_path);
    }
    memset(t->loss_sum, 0, sizeof t->loss_sum);
    t->loss_steps = 0;
    return UNSEEN_OK;
}

void log_close(trainer *t) {
    if (t->log) fclose(t->log);
    t->log = NULL;
}
