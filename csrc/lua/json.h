/* json.h: the text of a reply becomes Lua values, through lua-cjson. */
#ifndef PT_LUA_JSON_H
#define PT_LUA_JSON_H

#include "base/buffer.h"
#include "lua/compat.h"

#include <stdbool.h>

/* Makes a private configuration of lua-cjson (the shared one belongs to the host program). Raises
 * when lua-cjson is missing. */
void pt_lua_json_open(lua_State *L);

typedef enum { PT_DECODED, PT_DECODE_INVALID, PT_DECODE_MEMORY } pt_decoded;

/* Pushes the decoded value: null members absent, null elements polytomic.null (a NULL light
   userdata), integers as Lua integers where Lua has them, exact up to 64 bits. Pushes nothing when
   the text is not JSON, nested deeper than lua-cjson's limit of 1000, or when memory ran out. */
pt_decoded pt_lua_json_decode(lua_State *L, const pt_buffer *text);

#endif
