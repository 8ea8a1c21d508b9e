/* call_pool.h: calls whose memory is used again, buffers included: a call is a dozen small
 * allocations. */
#ifndef PT_CALL_POOL_H
#define PT_CALL_POOL_H

#include "api/call.h"

typedef struct pt_call_pool pt_call_pool;

/* One reference, for the engine. NULL when memory is exhausted. */
pt_call_pool *pt_call_pool_new(pt_engine *engine, void (*free_engine)(pt_engine *engine));
/* The engine is closed: what comes back from now on is freed. The pool itself lives as long as a
 * call of it; then it frees the engine. */
void pt_call_pool_close(pt_call_pool *pool);

/* A new call (see pt_call_new) of the pool and its engine, or NULL when memory is exhausted. */
pt_call *pt_call_pool_take(pt_call_pool *pool);
/* Lets go of a call. With its last reference it is wiped, and kept by its pool or freed. NULL is
 * allowed. */
void pt_call_release(pt_call *call);

#endif
