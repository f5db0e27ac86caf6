/* A few threads that share the parts of one piece of work. */
#ifndef PULSETRAIN_POOL_H
#define PULSETRAIN_POOL_H

#include <stddef.h>

typedef void part_function(void *context, ptrdiff_t part);

/* Runs `run(context, part)` for every part below `parts`, here and on the pool's threads, and returns when all
 * are done. Which thread takes which part changes from call to call, so a part must be the same whoever runs it. */
void pool_share(part_function *run, void *context, ptrdiff_t parts);

/* The threads that share, the caller's included; at least 1. */
int pool_threads(void);
void pool_set_threads(int threads);

#endif
