/* redactor.h: overwrites many secrets in a text, in whichever way a server may have written them.
   The work grows with the secrets and with the text, not with their product. */
#ifndef PT_REDACTOR_H
#define PT_REDACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shorter text is not hidden, since it may be anywhere: bytes, backslashes not counted. */
#define PT_MIN_HIDDEN 6u
/* More secrets than this are not looked for one by one: bytes in all. */
#define PT_MAX_HIDDEN 1000000u

/* From a place in a secret, by a byte, to the next place. */
typedef struct {
  uint32_t from_and_byte; /* place * 256 + byte */
  uint32_t to_and_end;    /* place * 2, + 1 where a secret ends there; 0: no edge */
} pt_redactor_edge;

/* Secrets as a tree of their bytes. A zeroed one holds none and is valid. */
typedef struct {
  pt_redactor_edge *edges; /* a hash table with open addressing */
  uint32_t room;           /* a power of two, or 0 */
  uint32_t places;         /* besides the root, which is 0 */
  uint32_t begins[256];    /* the place after the first byte of a secret; 0: none begins so */
  bool failed;             /* no memory, or too many secrets: everything is hidden */
} pt_redactor;

/* Adds a secret. A long one is known by pieces of 32 bytes, so that a part of it is hidden too. */
void pt_redactor_add(pt_redactor *redactor, const char *bytes, size_t length);

/* Overwrites with '*' every secret in the text: as it is; as JSON may write it (RFC 8259 section
   7), a JSON text within a JSON string included: backslashes do not count, neither in the text nor
   in the secret; percent-encoded (RFC 3986 section 2.1), as forms do it too; escaped as HTML. The
   two latter more than once, and within JSON. A number becomes 0 and blanks, so that JSON stays
   JSON. */
void pt_redactor_hide(const pt_redactor *redactor, char *text, size_t length);

/* Wipes and frees. */
void pt_redactor_free(pt_redactor *redactor);

#endif
