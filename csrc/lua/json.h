/* json.h: the text of a reply becomes Lua values. */
#ifndef PT_LUA_JSON_H
#define PT_LUA_JSON_H

#include "api/envelope.h"
#include "base/buffer.h"
#include "lua/compat.h"

typedef enum {
  PT_DECODED,
  PT_DECODE_INVALID, /* not JSON, or nested deeper than 1000 */
  PT_DECODE_MEMORY,  /* there was none left */
  PT_DECODE_RAISED   /* a hook or finalizer of the host raised: its error was pushed */
} pt_decoded;

/* Pushes the value of the text: null members absent, null elements polytomic.null (a NULL light
   userdata), of members of one name the last; integers as Lua integers where Lua has them, exact up
   to 64 bits, and so numbers without a fraction up to 2^53. Tables are made at their size, empty
   lists with polytomic.array_mt (see array.h); the collector is left alone. Pushes nothing when
   there is no value. Writes to `envelope` what kind of JSON it is; of what is not JSON only the
   byte it begins with. The text must stay as it is meanwhile, although finalizers may run. */
pt_decoded pt_lua_json_decode(lua_State *L, const pt_buffer *text, pt_envelope *envelope);

#endif
