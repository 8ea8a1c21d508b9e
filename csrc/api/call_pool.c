/* call_pool.c: see call_pool.h. */
#include "api/call_pool.h"

#include "base/memory.h"

/* Between two rounds of a collector many calls are garbage at once. */
enum { MAX_KEPT = 64 };

struct pt_call_pool {
  size_t references; /* the engine, while open, and every call that is out */
  bool open;
  pt_call *kept; /* linked by `next` */
  size_t kept_count;
  void (*free_engine)(pt_engine *engine);
  pt_engine *engine;
};

pt_call_pool *pt_call_pool_new(pt_engine *engine, void (*free_engine)(pt_engine *engine)) {
  pt_call_pool *pool = pt_zalloc(sizeof *pool);
  if (pool == NULL)
    return NULL;
  pool->references = 1;
  pool->open = true;
  pool->engine = engine;
  pool->free_engine = free_engine;
  return pool;
}

static void release(pt_call_pool *pool) {
  if (--pool->references > 0)
    return;
  pool->free_engine(pool->engine);
  pt_free(pool);
}

void pt_call_pool_close(pt_call_pool *pool) {
  if (pool == NULL)
    return;
  pool->open = false;
  while (pool->kept != NULL) {
    pt_call *call = pool->kept;
    pool->kept = call->next;
    pt_call_free(call);
  }
  release(pool);
}

pt_call *pt_call_pool_take(pt_call_pool *pool) {
  pt_call *call = pool->kept;
  if (call != NULL) {
    pool->kept = call->next;
    pool->kept_count--;
    call->next = NULL;
  } else if ((call = pt_call_new()) == NULL) {
    return NULL;
  }
  call->pool = pool;
  call->engine = pool->engine;
  pool->references++;
  return call;
}

void pt_call_release(pt_call *call) {
  if (call == NULL || --call->references > 0)
    return;
  pt_call_pool *pool = call->pool;
  if (pool == NULL) {
    pt_call_free(call);
    return;
  }
  if (pool->open && pool->kept_count < MAX_KEPT && pt_call_reset(call)) {
    call->next = pool->kept;
    pool->kept = call;
    pool->kept_count++;
  } else {
    pt_call_free(call);
  }
  release(pool);
}
