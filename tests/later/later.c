/* The wall clock of a process and of its children, LATER_S seconds ahead: cc -shared -fPIC, LD_PRELOAD.
 *
 * Only what tells the date is shifted. Durations (CLOCK_MONOTONIC, sleeps, time-outs) and the times of files stay as
 * they are; libfaketime shifts those too, and Python's sleep then fails with EINVAL. Programs that ask the kernel
 * without the C library (Go's, static ones) keep today's date.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static time_t later(void)
{
    static time_t seconds;
    static int known;
    if (!known) {
        const char *given = getenv("LATER_S");
        seconds = given ? (time_t)atoll(given) : 0;
        known = 1;
    }
    return seconds;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);
    if (!next)
        next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(which, now);
    if (result == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        now->tv_sec += later();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where)
{
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return (time_t)-1;
    if (where)
        *where = precise.tv_sec;
    return precise.tv_sec;
}
