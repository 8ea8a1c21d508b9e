/* call.h: one API call: what is asked, what was tried, what came of it. */
#ifndef PT_CALL_H
#define PT_CALL_H

#include "api/credential.h"
#include "api/operations.h"
#include "api/retry.h"
#include "http/attempt.h"
#include "http/transport.h"

typedef struct pt_engine pt_engine;
typedef struct pt_call_pool pt_call_pool;

typedef enum {
  PT_CALL_NEW,        /* being filled by the binding */
  PT_CALL_QUEUED,     /* waits for a connection */
  PT_CALL_EXCHANGING, /* an attempt is on its way */
  PT_CALL_WAITING,    /* back-off before the next attempt */
  PT_CALL_DONE
} pt_call_state;

/* Limits of one call; seconds. */
typedef struct {
  double timeout;
  double attempt_timeout;
  double connect_timeout;
  int retries;
} pt_call_limits;

/* Where a secret argument is in the request. */
typedef struct {
  bool in_body; /* else in the target */
  size_t offset, length;
} pt_span;

/* What most calls need; more is allocated. */
#define PT_FEW_LINES 12
#define PT_FEW_ATTEMPTS 5

typedef struct pt_call {
  unsigned references;
  pt_call_pool *pool; /* where it goes back to, or NULL */
  pt_call_state state;

  /* the request; written once, the same on every attempt */
  const pt_operation *operation;
  pt_operation *own_operation; /* that of a request outside the catalogue; owned */
  pt_credential *credential;
  pt_buffer target; /* path and query */
  pt_buffer body;
  bool has_body;
  pt_buffer header_text; /* the header lines written for this call, NUL after each */
  const char **lines;    /* all its lines, the credential's last: `few_lines`, or allocated */
  const char *few_lines[PT_FEW_LINES];
  size_t line_count;
  pt_span *secrets; /* NULL when there is none */
  size_t secret_count;
  char *idempotency_key; /* NULL for none; owned */
  pt_call_limits limits;
  bool wants_events;
  bool patient;    /* answers 429 do not count against `retries`: only the deadline ends the call */
  bool timer_only; /* sends nothing: it is done when its wait is over */

  /* its course */
  double started, deadline, ended; /* monotonic seconds */
  /* When the engine looks at it again: at the end of a wait, at the deadline while it queues, or
     when an attempt is overdue. */
  double wake;
  double waited;       /* the wait before the coming attempt */
  bool unknown_before; /* an attempt so far may have been carried out */
  int dns_failures;
  int attempt_count;
  int attempt_room;     /* of `attempts` */
  int uncounted;        /* attempts that do not count against `retries` */
  double tokens_taken;  /* from the retry budget, given back by success */
  pt_attempt *attempts; /* room for retries + 1: `few_attempts`, or allocated */
  pt_attempt few_attempts[PT_FEW_ATTEMPTS];
  pt_reply reply; /* of the last attempt */
  int readers;    /* of its body, at work */

  /* its end */
  pt_attempt_end end;
  int status;
  bool success;
  bool retryable;
  pt_outcome outcome;
  double retry_after; /* seconds, or negative */

  /* the engine's */
  pt_engine *engine;
  const void *owner; /* the client it was called on */
  pt_exchange *exchange;
  unsigned transport; /* index of the engine's transport it runs on */
  unsigned long long serial;
  size_t heap_index;               /* 1-based; 0: in no heap */
  struct pt_call *next, *previous; /* in the engine's list of its state */

  /* the binding's */
  int events_sent; /* how many of its events were dispatched */
  bool done_event_sent;
  bool settled;   /* the reply was decoded */
  bool announced; /* a watcher wants to know when it is done */
} pt_call;

/* A call with one reference, or NULL when memory is exhausted. */
pt_call *pt_call_new(void);
void pt_call_retain(pt_call *call);
/* Wipes and frees a call without references; see pt_call_release in call_pool.h. */
void pt_call_free(pt_call *call);
/* Wipes a call and makes it as new, keeping the memory of small buffers. False when it is not worth
 * keeping. */
bool pt_call_reset(pt_call *call);

/* Makes the call a request outside the catalogue; `name` and the rest are the operation's. False
 * when memory is exhausted. */
bool pt_call_own_operation(pt_call *call, const pt_operation *operation);
/* Takes a copy of the caller's idempotency key. False when memory is exhausted. */
bool pt_call_set_key(pt_call *call, const char *key, size_t length);
/* Marks bytes of the target or the body as a secret argument, to be masked wherever the request is
 * shown. False when memory is exhausted. */
bool pt_call_mark_secret(pt_call *call, bool in_body, size_t offset, size_t length);
/* Adds a constant header line. False when there is no room. */
bool pt_call_add_fixed_line(pt_call *call, const char *line);
/* Appends "name: value" and a NUL, as libcurl takes it. */
void pt_call_write_line(pt_buffer *text, const char *name, const char *value, size_t value_length);
/* Whether a line for the same header as `other` was added to the request. */
bool pt_call_has_line(const pt_call *call, const char *other);
/* Adds a header line "name: value" to the request. The caller has checked both. False when there is
 * no room or no memory. */
bool pt_call_add_line(pt_call *call, const char *name, const char *value, size_t value_length);
/* Makes room for the timeline and an idempotency key where the rule wants one (every POST and
   PATCH; see retry.h), unless one was given. NULL on success, else a static message. */
const char *pt_call_prepare(pt_call *call, bool wants_key);

/* Takes the reply of an attempt into the timeline and decides what follows. `tokens` is the
   client's retry budget, changed by the decision. True: another attempt after `call->wake`; false:
   the call has ended and its end is filled. */
bool pt_call_attempt_ended(pt_call *call, double *tokens);
/* Ends a call for another reason than a reply: PT_END_TIMEOUT while it queued, PT_END_CANCELLED,
   PT_END_CLOSED, PT_END_MEMORY. `sent`: the attempt under way may have left. The last attempt's
   error is kept when a deadline ends a wait. */
void pt_call_stop(pt_call *call, pt_attempt_end end, bool sent);
/* Notes the attempt that was under way when the call was stopped. */
void pt_call_record_broken(pt_call *call, pt_attempt_end end);
/* Ends a call that only waited, with success. */
void pt_call_end_timer(pt_call *call);

/* The body of the reply has been read: lets go of it, wiped, unless somebody still reads it. A
   small one without secrets is kept until the call is reset. */
void pt_call_drop_body(pt_call *call);

#endif
