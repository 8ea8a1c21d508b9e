/* call.c: see call.h. */
#include "api/call.h"

#include "base/ascii.h"
#include "base/clock.h"
#include "http/headers.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "base/random.h"
#include "http/retry_after.h"

#include <math.h>
#include <string.h>

/* A call with a larger buffer is freed rather than kept: bytes. */
enum { MAX_KEPT_BUFFER = 4096 };

static void begin(pt_call *call) {
  call->references = 1;
  call->retry_after = -1;
  call->lines = call->few_lines;
  call->attempts = call->few_attempts;
  call->attempt_room = PT_FEW_ATTEMPTS;
}

pt_call *pt_call_new(void) {
  pt_call *call = pt_zalloc(sizeof *call);
  if (call != NULL)
    begin(call);
  return call;
}

void pt_call_retain(pt_call *call) { call->references++; }

/* Frees what only some calls have. */
static void free_extras(pt_call *call) {
  pt_credential_release(call->credential);
  pt_free(call->reply.message);
  pt_free(call->own_operation);
  pt_free(call->secrets);
  pt_free(call->idempotency_key);
  if (call->lines != call->few_lines)
    pt_free(call->lines);
  if (call->attempts != call->few_attempts)
    pt_free(call->attempts);
}

void pt_call_free(pt_call *call) {
  free_extras(call);
  pt_buffer_wipe(&call->target);
  pt_buffer_wipe(&call->body);
  pt_buffer_wipe(&call->header_text);
  pt_buffer_free(&call->reply.headers);
  pt_buffer_wipe(&call->reply.body);
  pt_free(call);
}

bool pt_call_reset(pt_call *call) {
  pt_buffer *buffers[] = {&call->target, &call->body, &call->header_text, &call->reply.headers,
                          &call->reply.body};
  pt_buffer kept[sizeof buffers / sizeof buffers[0]];
  for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
    if (buffers[i]->capacity > MAX_KEPT_BUFFER)
      return false;
    pt_wipe(buffers[i]->bytes, buffers[i]->capacity);
    pt_buffer_clear(buffers[i]);
    kept[i] = *buffers[i];
  }
  free_extras(call);
  memset(call, 0, sizeof *call);
  begin(call);
  for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
    *buffers[i] = kept[i];
  return true;
}

void pt_call_drop_body(pt_call *call) {
  pt_buffer *body = &call->reply.body;
  if (call->readers == 0 && (call->operation->secret_reply || body->capacity > MAX_KEPT_BUFFER))
    pt_buffer_wipe(body);
}

bool pt_call_own_operation(pt_call *call, const pt_operation *operation) {
  pt_operation *own = pt_malloc(sizeof *own);
  if (own == NULL)
    return false;
  *own = *operation;
  pt_free(call->own_operation);
  call->operation = call->own_operation = own;
  return true;
}

bool pt_call_set_key(pt_call *call, const char *key, size_t length) {
  pt_free(call->idempotency_key);
  call->idempotency_key = pt_copy(key, length);
  return call->idempotency_key != NULL;
}

bool pt_call_mark_secret(pt_call *call, bool in_body, size_t offset, size_t length) {
  size_t count = call->secret_count;
  if ((count & (count - 1)) == 0) { /* full at every power of two */
    pt_span *secrets = pt_realloc(call->secrets, (count == 0 ? 1 : 2 * count) * sizeof *secrets);
    if (secrets == NULL)
      return false;
    call->secrets = secrets;
  }
  call->secrets[call->secret_count++] = (pt_span){in_body, offset, length};
  return true;
}

/* Room for one more line, and for the Authorization line after all others. */
static bool has_room(pt_call *call) {
  if (call->line_count + 2 <= PT_FEW_LINES)
    return true;
  if (call->lines == call->few_lines) {
    const char **lines = pt_malloc(PT_MAX_HEADER_LINES * sizeof *lines);
    if (lines == NULL)
      return false;
    memcpy(lines, call->few_lines, sizeof call->few_lines);
    call->lines = lines;
  }
  return call->line_count + 2 <= PT_MAX_HEADER_LINES;
}

bool pt_call_add_fixed_line(pt_call *call, const char *line) {
  if (!has_room(call))
    return false;
  call->lines[call->line_count++] = line;
  return true;
}

void pt_call_write_line(pt_buffer *text, const char *name, const char *value, size_t value_length) {
  pt_buffer_add_text(text, name);
  if (value_length > 0)
    pt_buffer_add_text(text, ": ");
  else
    pt_buffer_add_char(text, ';'); /* CURLOPT_HTTPHEADER: sends the header without a value */
  pt_buffer_add(text, value, value_length);
  pt_buffer_add(text, "", 1);
}

bool pt_call_has_line(const pt_call *call, const char *other) {
  size_t length = strcspn(other, ":;");
  const char *line = call->header_text.bytes;
  const char *end = line != NULL ? line + call->header_text.length : NULL;
  for (; line < end; line += strlen(line) + 1) {
    size_t i = 0;
    while (i < length && pt_lower(line[i]) == pt_lower(other[i]))
      i++;
    if (i == length && (line[i] == ':' || line[i] == ';'))
      return true;
  }
  return false;
}

bool pt_call_add_line(pt_call *call, const char *name, const char *value, size_t value_length) {
  if (!has_room(call))
    return false;
  pt_call_write_line(&call->header_text, name, value, value_length);
  call->lines[call->line_count++] = NULL; /* the text may still move */
  return !call->header_text.failed;
}

/* The text no longer moves: point to its lines. */
static void point_lines(pt_call *call) {
  const char *line = call->header_text.bytes;
  for (size_t i = 0; i < call->line_count; i++) {
    if (call->lines[i] != NULL)
      continue;
    call->lines[i] = line;
    line += strlen(line) + 1;
  }
  if (call->credential != NULL && call->credential->line.length > 0)
    call->lines[call->line_count++] = call->credential->line.bytes;
}

static bool make_key(pt_call *call) {
  char uuid[PT_UUID_LENGTH + 1];
  return pt_random_uuid(uuid) && pt_call_set_key(call, uuid, PT_UUID_LENGTH);
}

/* Room for so many attempts; those made so far are kept. */
static bool make_attempt_room(pt_call *call, int count) {
  if (count <= call->attempt_room)
    return true;
  int room = count < 2 * call->attempt_room ? 2 * call->attempt_room : count;
  pt_attempt *attempts = pt_zalloc((size_t)room * sizeof *attempts);
  if (attempts == NULL)
    return false;
  memcpy(attempts, call->attempts, (size_t)call->attempt_count * sizeof *attempts);
  if (call->attempts != call->few_attempts)
    pt_free(call->attempts);
  call->attempts = attempts;
  call->attempt_room = room;
  return true;
}

const char *pt_call_prepare(pt_call *call, bool wants_key) {
  if (!make_attempt_room(call, call->limits.retries + 1))
    return "not enough memory";
  if (wants_key && call->idempotency_key == NULL && !make_key(call))
    return "the system provides no randomness, or no memory, for an idempotency key";
  const char *key = call->idempotency_key;
  if (key != NULL && !pt_call_add_line(call, "Idempotency-Key", key, strlen(key)))
    return "not enough memory";
  point_lines(call);
  return NULL;
}

static double retry_after_of(const pt_reply *reply) {
  pt_header header;
  if (reply->end != PT_END_ANSWERED || reply->status < 300 ||
      !pt_headers_find(&reply->headers, "retry-after", &header))
    return -1;
  return pt_retry_after_parse(header.value, header.value_length, pt_clock_wall());
}

/* A 2xx whose body ends in the middle of its JSON: a lost reply where the connection ended with it,
 * a broken one where its compressed bytes came whole. */
static void recognise_cut(pt_reply *reply) {
  static const char lost[] = "the connection was closed in the middle of the reply";
  static const char broken[] = "the compressed body ends too early";
  bool doubtful = (reply->cut_by_close || reply->compressed) && reply->body.length > 0;
  if (reply->end != PT_END_ANSWERED || reply->status >= 300 || !doubtful)
    return;
  if (pt_json_validate(reply->body.bytes, reply->body.length, PT_JSON_DEPTH) != PT_JSON_CUT)
    return;
  reply->end = reply->cut_by_close ? PT_END_NETWORK : PT_END_PROTOCOL;
  reply->status = 0;
  pt_free(reply->message);
  reply->message =
      reply->cut_by_close ? pt_copy(lost, sizeof lost - 1) : pt_copy(broken, sizeof broken - 1);
}

static void record(pt_call *call) {
  const pt_reply *reply = &call->reply;
  pt_attempt *attempt = &call->attempts[call->attempt_count++];
  *attempt = (pt_attempt){.end = reply->end,
                          .status = reply->status,
                          .name = reply->name,
                          .tcp = reply->tcp,
                          .connect = reply->connect,
                          .first_byte = reply->first_byte,
                          .total = reply->total,
                          .waited = call->waited,
                          .retry_wait = -1,
                          .reused = reply->reused,
                          .sent = reply->sent};
}

static void finish(pt_call *call, pt_attempt_end end, int status, pt_outcome outcome) {
  call->end = end;
  call->status = status;
  call->outcome = outcome;
  call->ended = pt_clock_monotonic();
  call->state = PT_CALL_DONE;
}

bool pt_call_attempt_ended(pt_call *call, double *tokens) {
  pt_reply *reply = &call->reply;
  recognise_cut(reply);
  record(call);
  if (reply->end == PT_END_DNS)
    call->dns_failures++;
  double retry_after = retry_after_of(reply);
  double now = pt_clock_monotonic();
  bool patient =
      call->patient && make_attempt_room(call, call->attempt_count + call->limits.retries + 1);
  pt_retry_decision decision = pt_retry_decide(&(pt_retry_input){
      .method = call->operation->method,
      .keyed = call->idempotency_key != NULL,
      .end = reply->end,
      .status = reply->status,
      .redirect_status = (int)call->operation->redirect_status,
      .sent = reply->sent,
      .retry_after = retry_after,
      .attempt = call->attempt_count,
      .retries = call->limits.retries,
      .uncounted = call->uncounted,
      .patient = patient,
      .dns_failures = call->dns_failures,
      .unknown_before = call->unknown_before,
      .tokens = *tokens,
      .left = call->deadline - now,
      .jitter = reply->end == PT_END_ANSWERED && reply->status < 300 ? 0 : pt_random_unit()});
  if (decision.outcome == PT_OUTCOME_UNKNOWN)
    call->unknown_before = true;
  if (decision.retry) {
    *tokens -= decision.cost;
    call->tokens_taken += decision.cost;
    call->uncounted += decision.uncounted;
    call->waited = call->attempts[call->attempt_count - 1].retry_wait = decision.wait;
    call->wake = now + decision.wait;
    return true;
  }
  if (decision.success)
    *tokens = fmin(PT_RETRY_BUDGET,
                   *tokens + (call->attempt_count > 1 ? call->tokens_taken : PT_RETRY_REFUND));
  call->success = decision.success;
  call->retryable = decision.retryable;
  call->retry_after = decision.past_deadline ? decision.wait : retry_after;
  finish(call, reply->end, reply->status, decision.outcome);
  return false;
}

void pt_call_stop(pt_call *call, pt_attempt_end end, bool sent) {
  pt_outcome outcome = call->unknown_before || sent ? PT_OUTCOME_UNKNOWN
                       : call->attempt_count > 0    ? PT_OUTCOME_REJECTED
                                                    : PT_OUTCOME_UNSENT;
  if (end == PT_END_TIMEOUT && call->attempt_count > 0) {
    finish(call, call->reply.end, call->reply.status, outcome);
    return;
  }
  if (call->attempt_count > 0 && outcome == PT_OUTCOME_REJECTED &&
      call->attempts[call->attempt_count - 1].end != PT_END_ANSWERED)
    outcome = PT_OUTCOME_UNSENT;
  pt_free(call->reply.message);
  call->reply.message = NULL;
  finish(call, end, 0, outcome);
}

void pt_call_record_broken(pt_call *call, pt_attempt_end end) {
  call->reply.end = end;
  call->reply.status = 0;
  record(call);
}

void pt_call_end_timer(pt_call *call) {
  call->success = true;
  finish(call, PT_END_ANSWERED, 0, PT_OUTCOME_DONE);
}
