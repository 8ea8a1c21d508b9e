/* testing_memory.h: the core's memory as specs see it, in polytomic.testing and, for the library
 * built to run out of memory on demand, in the module polytomic.memory. */
#ifndef PT_TESTING_MEMORY_H
#define PT_TESTING_MEMORY_H

#include "lua/compat.h"

/* fail_at(n, every): the n-th allocation from now fails (0: none), and every one after it; out:
 * allocations since the last call */
int pt_testing_memory_fail_at(lua_State *L);

int luaopen_polytomic_memory(lua_State *L);

#endif
