/* log.c - the CSV log of a training: one row an evaluation (or, in the final run, as often). */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "train/run.h"

static void write_header(trainer *t) {
    fputs("run,step,epoch,loss", t->log);
    for (const char *const *name = t->options->class->losses; *name; name++)
        fprintf(t->log, ",%s", *name);
    fputs(",l2,T1,U,S,H,AUSUC,best_H,best_gamma,seconds\n", t->log);
}

un_status un_train_log_open(trainer *t, long offset) {
    const char *path = t->options->log_path;
    if (!path) return UNSEEN_OK;
    struct stat st;
    int file = 0, fd = un_output_open(path, &file);
    if (fd >= 0 && file && un_lock_open_file(fd, path) == UN_LOCK_BUSY) {
        close(fd);
        return un_fail(UNSEEN_E_ARGUMENT,
                       "another training is writing the log %s at this moment: wait for it, or "
                       "give each training a log of its own",
                       path);
    }
    if (fd < 0 || fstat(fd, &st) != 0 || !(t->log = fdopen(fd, "w"))) {
        int code = errno;
        if (fd >= 0) close(fd);
        return un_fail_errno(code, "cannot write the log %s", path);
    }
    /* To a pipe or terminal nothing can be taken back; or the log was removed meanwhile. */
    if (!file || st.st_size < offset) offset = 0;
    if (file && offset == 0 && ftruncate(fd, 0) != 0)
        return un_fail_errno(errno, "cannot write the log %s", path);
    if (offset > 0) {
        /* Rows after the checkpoint will be written again. */
        if (ftruncate(fileno(t->log), offset) != 0 || fseek(t->log, offset, SEEK_SET) != 0)
            return un_fail_errno(errno, "cannot continue the log %s", path);
        return UNSEEN_OK;
    }
    write_header(t);
    return UNSEEN_OK;
}

long un_train_log_offset(const trainer *t) {
    if (!t->log) return 0;
    fflush(t->log);
    (void)fsync(fileno(t->log)); /* a checkpoint must not know more than the disk */
    long offset = ftell(t->log);
    return offset > 0 ? offset : 0; /* a pipe has none */
}

/* Empty fields in the final run, and for what the fold has no images for. */
static void write_evaluation(FILE *log, const evaluation *e) {
    const double none = (double)NAN;
    const double fields[] = {e ? e->T1 : none, e ? e->U : none,     e ? e->S : none,
                             e ? e->H : none,  e ? e->AUSUC : none, e ? e->best_H : none};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        fprintf(log, isnan(fields[i]) ? "," : ",%.6f", fields[i]);
    if (e)
        fprintf(log, ",%.9g", e->best_gamma);
    else
        fputc(',', log);
}

un_status un_train_log_row(trainer *t, const evaluation *e) {
    size_t terms = un_method_loss_count(t->options->class);
    double n = t->loss_steps > 0 ? (double)t->loss_steps : 1.0;
    double total = 0;
    double seconds = un_now() - t->run_started;
    for (size_t i = 0; i <= terms; i++) total += t->loss_sum[i] / n;
    un_log(UNSEEN_LOG_DEBUG, "%s: epoch %zu, loss %.6g%s", t->task.name, t->epoch, total,
           e ? "" : " (final run)");
    if (t->log) {
        fprintf(t->log, "%s,%llu,%zu,%.9g", un_run_is_final(t) ? "final" : t->task.name,
                (unsigned long long)t->steps_done, t->epoch, total);
        for (size_t i = 0; i <= terms; i++) fprintf(t->log, ",%.9g", t->loss_sum[i] / n);
        write_evaluation(t->log, e);
        fprintf(t->log, ",%.3f\n", seconds);
        if (fflush(t->log) != 0)
            return un_fail_errno(errno, "cannot write the log %s", t->options->log_path);
    }
    memset(t->loss_sum, 0, sizeof t->loss_sum);
    t->loss_steps = 0;
    return UNSEEN_OK;
}

void un_train_log_close(trainer *t) {
    if (t->log) fclose(t->log);
    t->log = NULL;
}
