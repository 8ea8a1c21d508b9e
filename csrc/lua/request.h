/* request.h: a request outside the catalogue, { method=, path=, query=, body= }: an operation of
 * its own making. */
#ifndef PT_LUA_REQUEST_H
#define PT_LUA_REQUEST_H

#include "lua/writer.h"

/* Stands for every such request until pt_lua_read_request has made its own. */
extern const pt_operation pt_request_operation;

/* in: request at `index`; out: its path, query and body, read once. The call's own operation is
 * filled: it takes the key of the catalogue's operation with that method and path, if there is one.
 * Raises for bad usage. */
void pt_lua_read_request(lua_State *L, int index, pt_call *call);

/* As pt_lua_write_arguments, of what pt_lua_read_request left at `parts` and after: a path that
 * begins with '/', a map of query parameters or nil, any body or nil. */
bool pt_lua_write_request(lua_State *L, pt_call *call, const char *prefix, int parts,
                          pt_refusal *refusal);

#endif
