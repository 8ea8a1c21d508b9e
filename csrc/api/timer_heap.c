/* timer_heap.c: see timer_heap.h. */
#include "api/timer_heap.h"

#include "base/memory.h"

#include <string.h>

static void place(pt_timer_heap *heap, size_t index, pt_call *call) {
  heap->calls[index] = call;
  call->heap_index = index + 1;
}

static void rise(pt_timer_heap *heap, size_t index, pt_call *call) {
  while (index > 0) {
    size_t parent = (index - 1) / 2;
    if (heap->calls[parent]->wake <= call->wake)
      break;
    place(heap, index, heap->calls[parent]);
    index = parent;
  }
  place(heap, index, call);
}

static void sink(pt_timer_heap *heap, size_t index, pt_call *call) {
  for (;;) {
    size_t child = 2 * index + 1;
    if (child >= heap->count)
      break;
    if (child + 1 < heap->count && heap->calls[child + 1]->wake < heap->calls[child]->wake)
      child++;
    if (call->wake <= heap->calls[child]->wake)
      break;
    place(heap, index, heap->calls[child]);
    index = child;
  }
  place(heap, index, call);
}

bool pt_timer_heap_reserve(pt_timer_heap *heap, size_t count) {
  if (count <= heap->capacity)
    return true;
  size_t capacity = heap->capacity < 16 ? 16 : heap->capacity * 2;
  if (capacity < count)
    capacity = count;
  pt_call **calls = pt_realloc(heap->calls, capacity * sizeof(pt_call *));
  if (calls == NULL)
    return false;
  heap->calls = calls;
  heap->capacity = capacity;
  return true;
}

void pt_timer_heap_add(pt_timer_heap *heap, pt_call *call) {
  heap->count++;
  rise(heap, heap->count - 1, call);
}

void pt_timer_heap_remove(pt_timer_heap *heap, pt_call *call) {
  if (call->heap_index == 0)
    return;
  size_t index = call->heap_index - 1;
  call->heap_index = 0;
  pt_call *last = heap->calls[--heap->count];
  if (last == call)
    return;
  if (index > 0 && heap->calls[(index - 1) / 2]->wake > last->wake)
    rise(heap, index, last);
  else
    sink(heap, index, last);
}

pt_call *pt_timer_heap_first(const pt_timer_heap *heap) {
  return heap->count > 0 ? heap->calls[0] : NULL;
}

void pt_timer_heap_free(pt_timer_heap *heap) {
  pt_free(heap->calls);
  memset(heap, 0, sizeof *heap);
}
