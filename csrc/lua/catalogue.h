/* catalogue.h: the catalogue of operations, as tables of polytomic.core. */
#ifndef PT_LUA_CATALOGUE_H
#define PT_LUA_CATALOGUE_H

#include "lua/compat.h"

/* in: table; out: the same with describe and nearest. */
void pt_lua_add_catalogue(lua_State *L);

#endif
