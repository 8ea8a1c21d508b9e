/* json.c: see json.h. Values are gathered on the Lua stack until their list or object ends; then
 * its table is made at its final size and takes them. */
#include "lua/json.h"

#include "base/json_reader.h"
#include "lua/array.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
  MAX_DEPTH = 1000,
  MAX_GATHERED = 256, /* values of one container; the rest goes to a table that Lua lets grow */
  MAX_HEIGHT = 4000,  /* of all gathered values: Lua 5.1 and LuaJIT give a C function 8,000 slots */
  ROOM = 128,         /* slots asked for at a time */
  SMALL_TEXT = 2048,  /* bytes; below this nothing is remembered of names */
  MAX_KNOWN = 64,     /* names that are remembered */
  BUCKETS = 128,
  MAX_PROBES = 8,
  MAX_KEPT = 64,   /* bytes of a string that is kept, since its name may have it again */
  MAX_MISSES = 16, /* strings of a name in a row that it did not have again */
  NO_NUMBER = 255
};

/* Stack slots of the function that builds; two for each known name: its string, and the string it
 * had last. */
enum { REQUEST = 1, SCRATCH, FIRST_KNOWN };

/* A name that came before. Its number is its place. */
typedef struct {
  const char *bytes; /* in the text */
  size_t length;
  const char *last; /* the string it had last, in the text */
  size_t last_length;
  unsigned char next;   /* number of the name that came after it last time */
  unsigned char misses; /* how often in a row its string was another */
  bool kept;            /* the string it had last is in its slot */
} known_name;

/* An open list or object. */
typedef struct {
  union {
    uint64_t seen; /* of an object: a bit for each name by its number, or by its hash */
    int count;     /* of a list: elements in its table */
  };
  short slot;           /* on the stack, of its table; what is gathered is above it */
  short gathered;       /* elements, or members, each a name and a value */
  unsigned char number; /* of its own name */
  bool object;
  bool made;     /* the table is there already */
  bool doubtful; /* a name may have come twice */
} level;

typedef struct {
  const char *bytes;
  size_t length;
  pt_envelope *envelope;
  pt_json_token stop;
} request;

/* All state of one reading: a finalizer that runs meanwhile may start another. */
typedef struct {
  lua_State *L;
  int top;  /* lua_gettop, without asking */
  int room; /* top may grow to this */
  size_t scratch_size;
  level *now; /* the innermost; the first of them stands for none */
  bool remembers;
  unsigned char name_count, previous;
  pt_json_reader in;
  known_name names[MAX_KNOWN];
  unsigned char buckets[BUCKETS]; /* number of a name, plus one */
  level levels[MAX_DEPTH + 1];
} builder;

/* ---- strings ---- */

/* out: room for that many bytes; Lua owns them, since it may raise */
static char *scratch(builder *b, size_t size) {
  if (size > b->scratch_size) {
    size_t wanted = size > 2 * b->scratch_size ? size : 2 * b->scratch_size;
    (void)pt_newuserdata(b->L, wanted);
    lua_replace(b->L, SCRATCH);
    b->scratch_size = wanted;
  }
  return lua_touserdata(b->L, SCRATCH);
}

/* in: -, out: string */
static void push_string(builder *b, const pt_json_string *string) {
  if (string->escaped) {
    char *bytes = scratch(b, string->length);
    lua_pushlstring(b->L, bytes, pt_json_unescape(string, bytes));
  } else {
    lua_pushlstring(b->L, string->bytes, string->length);
  }
}

static bool same_bytes(const char *bytes, size_t length, const pt_json_string *string) {
  return length == string->length && memcmp(bytes, string->bytes, length) == 0;
}

/* in: -, out: string; a name often has the string it had before: then it is in a slot, and need not
 * be hashed */
static void push_member_string(builder *b, unsigned char number) {
  const pt_json_string *string = &b->in.string;
  if (number >= MAX_KNOWN || string->length > MAX_KEPT || string->escaped ||
      b->names[number].misses == MAX_MISSES) {
    push_string(b, string);
    return;
  }
  known_name *name = &b->names[number];
  int slot = FIRST_KNOWN + 2 * number + 1;
  if (!same_bytes(name->last, name->last_length, string)) {
    name->misses++;
    name->kept = false;
    name->last = string->bytes;
    name->last_length = string->length;
    push_string(b, string);
    return;
  }
  name->misses = 0;
  if (!name->kept) {
    push_string(b, string);
    lua_replace(b->L, slot);
    name->kept = true;
  }
  lua_pushvalue(b->L, slot);
}

/* ---- names ---- */

static unsigned hash_of(const pt_json_string *name) {
  if (name->length == 0)
    return 0;
  unsigned first = (unsigned char)name->bytes[0];
  unsigned middle = (unsigned char)name->bytes[name->length / 2];
  unsigned last = (unsigned char)name->bytes[name->length - 1];
  unsigned hash = (unsigned)name->length * 0x9e3779b1u + first * 0x85ebca6bu +
                  middle * 0xc2b2ae35u + last * 0x27d4eb2fu;
  return hash >> 16;
}

static unsigned char learn(builder *b, const pt_json_string *name, unsigned char *bucket) {
  if (b->name_count == MAX_KNOWN)
    return NO_NUMBER;
  unsigned char number = b->name_count;
  push_string(b, name);
  lua_replace(b->L, FIRST_KNOWN + 2 * number);
  b->names[number] = (known_name){.bytes = name->bytes, .length = name->length, .last = ""};
  b->name_count++;
  *bucket = (unsigned char)(number + 1);
  return number;
}

static unsigned char find_or_learn(builder *b, const pt_json_string *name) {
  unsigned hash = hash_of(name);
  for (unsigned i = 0; i < MAX_PROBES; i++) {
    unsigned char *bucket = &b->buckets[(hash + i) % BUCKETS];
    if (*bucket == 0)
      return learn(b, name, bucket);
    const known_name *known = &b->names[*bucket - 1];
    if (same_bytes(known->bytes, known->length, name))
      return (unsigned char)(*bucket - 1);
  }
  return NO_NUMBER;
}

/* The number of the name at hand: most come after the same as last time. Different numbers are
 * different names. */
static unsigned char number_of_name(builder *b) {
  const pt_json_string *name = &b->in.name;
  if (!b->remembers || name->escaped)
    return NO_NUMBER;
  const known_name *guess = &b->names[b->names[b->previous].next];
  unsigned char number = b->names[b->previous].next;
  if (!same_bytes(guess->bytes, guess->length, name)) {
    number = find_or_learn(b, name);
    if (number == NO_NUMBER)
      return number;
    b->names[b->previous].next = number;
  }
  b->previous = number;
  return number;
}

/* Whether the name at hand is certainly the first of its kind in its object. After one that is not,
 * none is. */
static bool is_new(builder *b, unsigned char number) {
  level *now = b->now;
  bool unknown = b->in.name.escaped || (b->remembers && number == NO_NUMBER);
  if (now->doubtful || unknown) {
    now->doubtful = true;
    return false;
  }
  uint64_t bit = UINT64_C(1) << (b->remembers ? number : hash_of(&b->in.name) % 64);
  now->doubtful = (now->seen & bit) != 0;
  now->seen |= bit;
  return !now->doubtful;
}

/* in: -, out: the name at hand */
static void push_name(builder *b, unsigned char number) {
  if (number < MAX_KNOWN)
    lua_pushvalue(b->L, FIRST_KNOWN + 2 * number);
  else
    push_string(b, &b->in.name);
}

/* ---- tables ---- */

/* in: elements above the slot, out: the list in its slot */
static void take_elements(builder *b, level *now) {
  lua_createtable(b->L, now->gathered, 0);
  lua_replace(b->L, now->slot);
  for (int i = now->gathered; i > 0; i--)
    lua_rawseti(b->L, now->slot, i);
  now->count = now->gathered;
}

/* in: names and values above the slot, out: the object in its slot */
static void take_members(builder *b, level *now) {
  lua_createtable(b->L, 0, now->gathered);
  lua_replace(b->L, now->slot);
  if (!now->doubtful) { /* in whatever order */
    for (int i = now->gathered; i > 0; i--)
      lua_rawset(b->L, now->slot);
    return;
  }
  int end = now->slot + 2 * now->gathered;
  for (int i = now->slot + 1; i < end; i += 2) {
    lua_pushvalue(b->L, i);
    lua_pushvalue(b->L, i + 1);
    lua_rawset(b->L, now->slot);
  }
  lua_settop(b->L, now->slot);
}

static void make_table(builder *b, level *now) {
  if (now->object)
    take_members(b, now);
  else
    take_elements(b, now);
  now->made = true;
  now->gathered = 0;
  b->top = now->slot;
}

/* in: value, with its name before it in an object; out: taken by the container they are in */
static void add_value(builder *b) {
  level *now = b->now;
  if (now == b->levels)
    return;
  if (!now->made) {
    now->gathered++;
    if (now->gathered == MAX_GATHERED || b->top > MAX_HEIGHT)
      make_table(b, now);
  } else if (now->object) {
    lua_rawset(b->L, now->slot);
    b->top -= 2;
  } else {
    lua_rawseti(b->L, now->slot, ++now->count);
    b->top--;
  }
}

/* in: -, out: a slot for the table */
static void open_level(builder *b, bool object, unsigned char number) {
  lua_pushnil(b->L);
  b->top++;
  b->now++;
  *b->now = (level){.slot = (short)b->top, .number = number, .object = object};
}

/* in: what is gathered; out: the table */
static void close_level(builder *b) {
  level *now = b->now--;
  if (!now->made)
    make_table(b, now);
  if (!now->object && now->count == 0) {
    pt_lua_push_array_metatable(b->L);
    lua_setmetatable(b->L, now->slot);
  }
}

/* ---- values ---- */

static void push_integer(lua_State *L, int64_t integer) {
#if PT_HAS_INTEGERS
  if ((lua_Integer)integer == integer) {
    lua_pushinteger(L, (lua_Integer)integer);
    return;
  }
#endif
  lua_pushnumber(L, (lua_Number)integer);
}

/* What has no fraction is an integer, as far as doubles tell all of them apart. */
static void push_number(lua_State *L, double number) {
#if PT_HAS_INTEGERS
  if (fabs(number) <= 9007199254740992.0 && floor(number) == number &&
      !(number == 0 && signbit(number))) {
    push_integer(L, (int64_t)number);
    return;
  }
#endif
  lua_pushnumber(L, (lua_Number)number);
}

/* in: -, out: value, unless it is a container, which is opened */
static void push_value(builder *b, pt_json_token token, unsigned char number) {
  switch (token) {
  case PT_JSON_STRING: push_member_string(b, number); break;
  case PT_JSON_INTEGER: push_integer(b->L, b->in.integer); break;
  case PT_JSON_NUMBER: push_number(b->L, b->in.number); break;
  case PT_JSON_TRUE:
  case PT_JSON_FALSE: lua_pushboolean(b->L, token == PT_JSON_TRUE); break;
  case PT_JSON_NULL:
    if (b->now->object)
      lua_pushnil(b->L);
    else
      lua_pushlightuserdata(b->L, NULL);
    break;
  default: open_level(b, token == PT_JSON_OBJECT, number); return;
  }
  b->top++;
  add_value(b);
}

static char kind_of(pt_json_token token) {
  static const char kinds[] = {
      [PT_JSON_NULL] = 'n',   [PT_JSON_FALSE] = 'f',  [PT_JSON_TRUE] = 't', [PT_JSON_INTEGER] = '0',
      [PT_JSON_NUMBER] = '0', [PT_JSON_STRING] = '"', [PT_JSON_LIST] = '[', [PT_JSON_OBJECT] = '{'};
  return kinds[token];
}

/* A member of the outermost object may be the envelope's `data`. */
static void note_member(builder *b, pt_envelope *envelope, pt_json_token token) {
  const pt_json_string *name = &b->in.name;
  bool is_data = same_bytes("data", 4, name);
  if (name->escaped) {
    push_string(b, name);
    lua_pushliteral(b->L, "data");
    is_data = lua_rawequal(b->L, -1, -2) != 0;
    lua_pop(b->L, 2);
  }
  if (is_data)
    envelope->data = kind_of(token);
}

static pt_json_token build_all(builder *b, pt_envelope *envelope) {
  for (;;) {
    pt_json_token token = pt_json_next(&b->in);
    if (token <= PT_JSON_TOO_DEEP)
      return token;
    if (token == PT_JSON_CLOSED) {
      close_level(b);
      add_value(b);
      continue;
    }
    if (b->top + 8 > b->room) {
      luaL_checkstack(b->L, ROOM, "reply");
      b->room = b->top + ROOM;
    }
    unsigned char number = b->now->number; /* strings of a list go by its name */
    if (b->in.name.bytes != NULL) {
      number = number_of_name(b);
      if (b->now == b->levels + 1)
        note_member(b, envelope, token);
      if (is_new(b, number) && token == PT_JSON_NULL)
        continue; /* a null member is absent, and takes none away */
      push_name(b, number);
      b->top++;
    }
    push_value(b, token, number);
  }
}

/* in: request; out: value, or nothing. Run protected. */
static int build(lua_State *L) {
  request *wanted = lua_touserdata(L, REQUEST);
  builder b; /* not cleared: it is large, and of most of it little is used */
  b.L = L;
  b.remembers = wanted->length >= SMALL_TEXT;
  b.scratch_size = 0;
  b.now = b.levels;
  *b.now = (level){.number = NO_NUMBER};
  b.name_count = b.previous = 0;
  b.names[0] = (known_name){.bytes = "", .length = SIZE_MAX};
  memset(b.buckets, 0, sizeof b.buckets);
  b.top = FIRST_KNOWN - 1 + (b.remembers ? 2 * MAX_KNOWN : 0);
  luaL_checkstack(L, b.top + ROOM, "reply");
  b.room = b.top + ROOM;
  lua_settop(L, b.top);
  pt_json_start(&b.in, wanted->bytes, wanted->length, MAX_DEPTH);
  wanted->envelope->top = pt_json_peek(&b.in);
  wanted->stop = build_all(&b, wanted->envelope);
  return wanted->stop == PT_JSON_WHOLE;
}

pt_decoded pt_lua_json_decode(lua_State *L, const pt_buffer *text, pt_envelope *envelope) {
  request wanted = {.bytes = text->bytes != NULL ? text->bytes : "",
                    .length = text->length,
                    .envelope = envelope};
  *envelope = (pt_envelope){'\0', '\0'};
  lua_pushcfunction(L, build);
  lua_pushlightuserdata(L, &wanted);
  int status = lua_pcall(L, 1, 1, 0);
  if (status != 0 && status != LUA_ERRMEM)
    return PT_DECODE_RAISED;
  if (status == 0 && wanted.stop == PT_JSON_WHOLE)
    return PT_DECODED;
  lua_pop(L, 1);
  return status == 0 ? PT_DECODE_INVALID : PT_DECODE_MEMORY;
}
