/* response.h: responses and errors as Lua sees them: tables whose parts are made when asked for. */
#ifndef PT_LUA_RESPONSE_H
#define PT_LUA_RESPONSE_H

#include "http/headers.h"
#include "lua/handle.h"

/* Pushes a response of the call whose userdata is at that index. */
void pt_lua_push_response(lua_State *L, int call);
/* Pushes an error of a call that was made, or of none (NULL). It has only plain values, which any
 * logger can write. */
void pt_lua_push_error(lua_State *L, pt_call *call);

/* The call a response belongs to; NULL for any other value. */
const pt_call *pt_lua_response_call(lua_State *L, int index);

/* Makes every part of the call a plain member of the table at `index`. */
void pt_lua_make_parts(lua_State *L, int index, const pt_call *call);

/* Pushes the value of a header, controls and folds in it replaced by spaces. */
void pt_lua_push_header_value(lua_State *L, const pt_header *header);
/* Pushes the X-Request-Id of the last reply, at most 256 bytes of it, or nil. */
void pt_lua_push_request_id(lua_State *L, const pt_call *call);

/* Pushes what a reply returns that is a redirect: { url = … }. Pushes nothing and returns false,
 * with what is wrong written to `problem`, when it does not say where to. */
bool pt_lua_push_redirect(lua_State *L, const pt_call *call, char *problem, size_t size);

/* Pushes a value that owns an empty buffer: Lua may raise while it is full. */
pt_buffer *pt_lua_push_buffer(lua_State *L);

/* Makes the metatables. */
void pt_lua_open_response(lua_State *L);

#endif
