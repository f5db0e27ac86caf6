/* The thread pool: threads that wait for work, first spinning, then asleep.
 *
 * Work is announced by a ticket: a count of the works in its upper half, the next part to be taken in its lower
 * half. A part is taken by advancing the ticket, which fails once there is another, so a thread that comes late
 * never takes a part of other work than what it read. While `run`, `context` and `parts` are replaced, which is
 * after all parts of the work before are done, the ticket has no part to take.
 */
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#define relax() _mm_pause()
#else
#define relax() ((void)0)
#endif

#define MAX_THREADS 64
/* Looks for work before a thread goes to sleep: about 50 us, the gap between two operations of a step and more
 * than it takes to wake up. */
#define LOOKS 2000
#define NO_PART 0xffffffffu
/* Looks for the end of the work before the processor is offered to others. */
#define PATIENCE 4000

static struct {
    pthread_mutex_t lock; /* of `wake`, and of starting threads */
    pthread_cond_t wake;
    atomic_int asleep;
    _Atomic uint64_t ticket;
    _Atomic(part_function *) run;
    _Atomic(void *) context;
    atomic_long parts, done;
    atomic_int threads; /* wanted, the caller's included */
    atomic_flag busy;   /* one caller at a time: another one works alone */
    int started;        /* threads beside the caller's */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .threads = 1,
          .busy = ATOMIC_FLAG_INIT};

static uint64_t work_of(uint64_t ticket)
{
    return ticket >> 32;
}

/* Takes parts of the work that `ticket` announces until none is left. */
static void take_parts(uint64_t ticket)
{
    uint64_t work = work_of(ticket);
    for (;;) {
        part_function *run = atomic_load(&pool.run);
        void *context = atomic_load(&pool.context);
        long parts = atomic_load(&pool.parts), part = (long)(ticket & 0xffffffffu);
        if (work_of(ticket) != work || part >= parts)
            return;
        if (atomic_compare_exchange_weak(&pool.ticket, &ticket, ticket + 1)) {
            run(context, part);
            atomic_fetch_add(&pool.done, 1);
            ticket = atomic_load(&pool.ticket);
        }
    }
}

/* Returns a ticket of other work than `seen`. */
static uint64_t next_ticket(uint64_t seen)
{
    uint64_t ticket;
    for (int look = 0; look < LOOKS; ++look) {
        ticket = atomic_load(&pool.ticket);
        if (work_of(ticket) != work_of(seen))
            return ticket;
        relax();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.asleep, 1); /* before the last look: who announces work looks at it afterwards */
    while (ticket = atomic_load(&pool.ticket), work_of(ticket) == work_of(seen))
        pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.asleep, 1);
    pthread_mutex_unlock(&pool.lock);
    return ticket;
}

static void *serve(void *seen)
{
#if defined(__x86_64__)
    _mm_setcsr(0x1f80); /* as in `enter`: the creating thread may have had another rounding mode */
#endif
    for (uint64_t ticket = (uint64_t)(uintptr_t)seen << 32;;) {
        ticket = next_ticket(ticket);
        take_parts(ticket);
    }
    return NULL;
}

/* A child process has none of the threads, and whatever they held is free. */
static void forget_threads(void)
{
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
    atomic_store(&pool.asleep, 0);
    atomic_flag_clear(&pool.busy);
    pool.started = 0;
}

static void start_threads(void)
{
    static int registered;
    if (!registered) {
        registered = 1;
        pthread_atfork(NULL, NULL, forget_threads);
    }
    while (pool.started < pool.threads - 1) {
        pthread_t thread;
        uintptr_t seen = (uintptr_t)(uint32_t)work_of(atomic_load(&pool.ticket));
        if (pthread_create(&thread, NULL, serve, (void *)seen))
            break; /* fewer threads are as right */
        pthread_detach(thread);
        ++pool.started;
    }
}

void pool_share(part_function *run, void *context, ptrdiff_t parts)
{
    if (parts <= 1 || pool.threads <= 1 || atomic_flag_test_and_set(&pool.busy)) {
        for (ptrdiff_t part = 0; part < parts; ++part)
            run(context, part);
        return;
    }
    start_threads();
    uint64_t work = work_of(atomic_load(&pool.ticket));
    atomic_store(&pool.ticket, (work + 1) << 32 | NO_PART);
    atomic_store(&pool.run, run);
    atomic_store(&pool.context, context);
    atomic_store(&pool.parts, (long)parts);
    atomic_store(&pool.done, 0);
    uint64_t ticket = (work + 2) << 32;
    atomic_store(&pool.ticket, ticket);
    if (atomic_load(&pool.asleep)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
    take_parts(ticket);
    for (int look = 0; atomic_load(&pool.done) < parts;) {
        if (look < PATIENCE) {
            ++look;
            relax();
        } else {
            sched_yield();
        }
    }
    atomic_flag_clear(&pool.busy);
}

int pool_threads(void)
{
    return pool.threads;
}

void pool_set_threads(int threads)
{
    pool.threads = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
}
