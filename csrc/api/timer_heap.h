/* timer_heap.h: calls by the time they want to be looked at, the earliest first. */
#ifndef PT_TIMER_HEAP_H
#define PT_TIMER_HEAP_H

#include "api/call.h"

typedef struct {
  pt_call **calls; /* binary heap by `wake`; a call knows its place */
  size_t count, capacity;
} pt_timer_heap;

/* Room for `count` calls; false when memory is exhausted. Later additions up to that number cannot
 * fail. */
bool pt_timer_heap_reserve(pt_timer_heap *heap, size_t count);
void pt_timer_heap_add(pt_timer_heap *heap, pt_call *call);
/* Nothing happens when the call is in no heap. */
void pt_timer_heap_remove(pt_timer_heap *heap, pt_call *call);
/* NULL when empty. */
pt_call *pt_timer_heap_first(const pt_timer_heap *heap);
void pt_timer_heap_free(pt_timer_heap *heap);

#endif
