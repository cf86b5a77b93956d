/* Checkrein for C: load a compiled policy, begin runs, decide calls, count tokens. docs/c.md explains it.
 *
 * All functions are in one table. A program without Python gets it by checkrein_api(CHECKREIN_ABI) from the
 * library; one with Python from the capsule CHECKREIN_CAPSULE, and need not hold the interpreter's lock.
 *
 * The contract. A text is UTF-8 with its size, without a zero at its end. A pointer with a size says where so
 * many elements are; pointer and elements stay as they are until the function returns, and nothing is kept of
 * them. An `out` pointer says where the function writes, and is written to only if it succeeds. What a caller
 * can get wrong besides is told by a status: null pointers, sizes, texts that are not UTF-8, closed
 * handles. Functions may be called from any thread, also two at once for one handle: events of one run then
 * happen one after the other. None of them calls back or unwinds, and none but `open_ledger` and
 * `close_ledger` waits for a store. */
#ifndef CHECKREIN_H
#define CHECKREIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CHECKREIN_ABI 1
#define CHECKREIN_CAPSULE "checkrein._core._C_API"

/* Statuses: 0, or what was wrong; then `message` says it in words, and nothing has happened. */
#define CHECKREIN_OK 0
#define CHECKREIN_INTERNAL -1          /* a bug of Checkrein; the run denies everything from now on */
#define CHECKREIN_BAD_VALUE -2         /* what was passed cannot be right */
#define CHECKREIN_CLOSED -3            /* the handle was closed, or is of another kind */
#define CHECKREIN_LOAD -4              /* no artifact, a damaged one, or one of another version */
#define CHECKREIN_STORE -5             /* the store of a ledger cannot be used */
#define CHECKREIN_FORKED -6            /* the run or ledger is of the process that this one was forked from */
#define CHECKREIN_FULL -7              /* too many handles are open */
#define CHECKREIN_UNKNOWN_NAME -8      /* a fact that the policy does not declare */
#define CHECKREIN_UNKNOWN_ATTEMPT -9
#define CHECKREIN_ALREADY_SETTLED -10  /* the attempt is over */
#define CHECKREIN_NOT_SETTLED -11
#define CHECKREIN_UNKNOWN_REQUEST -12
#define CHECKREIN_EXPIRED -13
#define CHECKREIN_ALREADY_ANSWERED -14
#define CHECKREIN_SUSPENDED -15
#define CHECKREIN_ENDED -16
#define CHECKREIN_GONE -17             /* the run has decided something else since */

/* For a number that is not there. */
#define CHECKREIN_NONE UINT64_MAX

/* Handles. Numbers, no pointers: a closed one is told apart from every other for ever, and none is 0. */
typedef struct { uint64_t id; } checkrein_program;
typedef struct { uint64_t id; } checkrein_call;   /* names bound to a program, which lives as long as that */
typedef struct { uint64_t id; } checkrein_ledger; /* id 0: none; limits wider than the run count it alone */
typedef struct { uint64_t id; } checkrein_run;
typedef struct { uint64_t id; } checkrein_meter;

typedef struct checkrein_text {
  const char *data;
  size_t size;
} checkrein_text;

/* Where a text is copied to: as much as fits, with a zero behind it. */
typedef struct checkrein_buffer {
  char *data;
  size_t size;
} checkrein_buffer;

/* When something happens, in nanoseconds: by a clock that never goes back, and since 1970 in UTC. */
typedef struct checkrein_now {
  uint64_t mono;
  uint64_t wall;
} checkrein_now;

/* The value of an argument or a fact, as a host has it: money in whole units (or in cents, where the policy
 * says so), time in seconds, a percentage as a fraction of 1. A number that is not exact in the engine's
 * integers is ill-typed, as a text is where a number is wanted; a condition cannot be decided by it then. */
#define CHECKREIN_MISSING 0
#define CHECKREIN_FLAG 1    /* of.integer: 0 or 1 */
#define CHECKREIN_INTEGER 2 /* of.integer */
#define CHECKREIN_REAL 3    /* of.real; its shortest decimal counts, so 0.1 is a tenth */
#define CHECKREIN_TEXT 4    /* of.text and size; money may be such a text, as "12.50" */
#define CHECKREIN_LIST 5    /* of.items and size */

typedef struct checkrein_value {
  uint32_t kind;
  uint32_t reserved;
  union {
    int64_t integer;
    double real;
    const char *text;
    const struct checkrein_value *items;
  } of;
  size_t size;
} checkrein_value;

/* Names, which are bound once; and values, in the order of the names. */
typedef struct checkrein_names {
  const checkrein_text *arguments;
  size_t argument_count;
  const checkrein_text *facts;
  size_t fact_count;
} checkrein_names;

typedef struct checkrein_values {
  const checkrein_value *arguments;
  size_t argument_count;
  const checkrein_value *facts;
  size_t fact_count;
} checkrein_values;

/* Whose a run is. An empty text is none: a limit on it cannot be kept then, and refuses. */
typedef struct checkrein_key {
  checkrein_text name; /* a fact under which a limit adds up */
  checkrein_text id;
} checkrein_key;

typedef struct checkrein_scopes {
  checkrein_text run;
  checkrein_text session;
  checkrein_text user;
  checkrein_text team;
  checkrein_text org;
  const checkrein_key *keys;
  size_t key_count;
} checkrein_scopes;

typedef struct checkrein_prompt {
  uint64_t input_tokens; /* an upper bound of what is sent */
  uint64_t max_output;   /* the most tokens that are wanted back, or CHECKREIN_NONE */
} checkrein_prompt;

#define CHECKREIN_EXACT 0
#define CHECKREIN_AT_LEAST 1
#define CHECKREIN_UNKNOWN 2 /* the whole hold is charged */
#define CHECKREIN_UNSENT 3  /* the call provably never left: everything is given back */

typedef struct checkrein_usage {
  uint64_t input;
  uint64_t output;
  uint64_t cache_read;  /* of the input */
  uint64_t cache_write; /* of the input */
  uint64_t reasoning;   /* of the output */
  uint32_t kind;
  uint32_t reserved;
} checkrein_usage;

#define CHECKREIN_OWN 1       /* the caller brought it about, with less patience than the policy has */
#define CHECKREIN_COMMITTED 2 /* something of it has been passed on already, so it is not made again */

typedef struct checkrein_returned {
  uint64_t attempt;
  uint64_t fingerprint; /* of what came back, or CHECKREIN_NONE */
  uint32_t flags;       /* CHECKREIN_COMMITTED */
  uint32_t reserved;
} checkrein_returned;

#define CHECKREIN_BILLED_UNKNOWN 0
#define CHECKREIN_BILLED_NO 1
#define CHECKREIN_BILLED_YES 2

typedef struct checkrein_failure {
  checkrein_text kind;  /* `timeout`, `rate_limited`, ...: the words of `error.kind` */
  uint64_t status;      /* of the protocol, or CHECKREIN_NONE */
  uint64_t retry_after; /* nanoseconds, or CHECKREIN_NONE */
  uint64_t fingerprint; /* of the error's message, or CHECKREIN_NONE */
  uint32_t billed;
  uint32_t flags; /* CHECKREIN_OWN, CHECKREIN_COMMITTED */
} checkrein_failure;

/* Outcomes: allow alone lets the call run; for a result, take it; for an error, pass it on. */
#define CHECKREIN_ALLOW 0
#define CHECKREIN_REUSE 1    /* give what attempt `reused` gave */
#define CHECKREIN_ANSWER 2   /* give the text CHECKREIN_ANSWER_TEXT instead; nothing is sent */
#define CHECKREIN_WAIT 3     /* ask again, with `call`, after `wait_ns` */
#define CHECKREIN_ESCALATE 4 /* ask again, with `call`, after a person has answered `request` */
#define CHECKREIN_DENY 5
#define CHECKREIN_FAIL 6     /* give this call up */
#define CHECKREIN_STOP 7     /* end the run; every later call meets the same stop */

/* Flags of a decision. */
#define CHECKREIN_UNDECIDED 1
#define CHECKREIN_LATCHED 2
#define CHECKREIN_REJECTED 4
#define CHECKREIN_WRAP_UP 8
#define CHECKREIN_STAYED 16
#define CHECKREIN_MAY_BE_SOONER 32

typedef struct checkrein_decision {
  uint64_t number;         /* 1, 2, 3, ... within the run */
  uint64_t call;           /* the logical call, or 0 */
  uint64_t attempt;        /* what an allow opens: settle it once; or 0 */
  uint64_t attempt_number; /* or 0 */
  uint64_t output_cap;     /* the most tokens that may come back, or CHECKREIN_NONE */
  uint64_t timeout_ns;     /* how long the attempt may take, or CHECKREIN_NONE */
  uint64_t wait_ns;        /* or CHECKREIN_NONE */
  uint64_t request;        /* what a person is asked, or 0 */
  uint64_t expires_at;     /* of the request, by the first clock, or CHECKREIN_NONE */
  uint64_t answered;       /* the request that a person took over or answered with a text, or 0 */
  uint64_t reused;         /* an attempt, or 0 */
  uint64_t reserved_tokens;
  uint64_t reserved_cost; /* a thousand millionth of a currency unit */
  uint32_t outcome;
  uint32_t flags;
} checkrein_decision;

typedef struct checkrein_settlement {
  uint64_t input_tokens;
  uint64_t output_tokens;
  uint64_t tokens; /* charged */
  uint64_t cost;   /* charged */
  uint64_t reserved_tokens;
  uint64_t reserved_cost;
} checkrein_settlement;

/* Texts of a decision; one that it has not is empty. */
#define CHECKREIN_BY 0          /* the name of what decided */
#define CHECKREIN_REASON 1      /* why it refuses, in the author's words */
#define CHECKREIN_ANSWER_TEXT 2 /* of an answer */
#define CHECKREIN_MODEL 3       /* the model that may run */
#define CHECKREIN_STATE 4
#define CHECKREIN_TELL_AGENT 5
#define CHECKREIN_TELL_USER 6
#define CHECKREIN_QUEUE 7
#define CHECKREIN_WANTS 8 /* what a person is asked for */

typedef struct checkrein_table {
  uint32_t abi;  /* CHECKREIN_ABI */
  uint32_t size; /* of this table; a later version may add functions behind the last */

  /* The version of the package; the message of the latest failure in this thread, and its whole length; and
   * both clocks of the machine, for a host without its own. */
  checkrein_text (*version)(void);
  size_t (*message)(checkrein_buffer buffer);
  checkrein_now (*now)(void);

  /* Verifies the bytes of a `.reinc` file. */
  int32_t (*load)(checkrein_text artifact, checkrein_program *out);

  /* Binds what is called, with the names of its arguments and facts. A tool that the policy does not declare
   * is denied. Without a model's name the policy chooses. `bind_result` is about what a tool gave (its
   * fields), or, without a name, a model. */
  int32_t (*bind_tool)(checkrein_program program, checkrein_text tool, const checkrein_names *names,
                       checkrein_call *out);
  int32_t (*bind_model)(checkrein_program program, checkrein_text model, const checkrein_names *names,
                        checkrein_call *out);
  int32_t (*bind_result)(checkrein_program program, checkrein_text tool, const checkrein_names *names,
                         checkrein_call *out);

  /* What runs have in common. An empty place is the memory of this process; else as `store` in Python. */
  int32_t (*open_ledger)(checkrein_text place, uint32_t durable, checkrein_now now, checkrein_ledger *out);

  /* Begins a run. The seed makes its delays differ from those of others. Scopes may be a null pointer. */
  int32_t (*begin)(checkrein_program program, checkrein_ledger ledger, const checkrein_scopes *scopes,
                   uint64_t seed, checkrein_now now, checkrein_run *out);

  /* Decides. `again` is the logical call that is asked again, or 0. */
  int32_t (*tool_call)(checkrein_run run, checkrein_now now, checkrein_call call, uint64_t again,
                       const checkrein_values *values, checkrein_decision *out);
  int32_t (*model_call)(checkrein_run run, checkrein_now now, checkrein_call call, uint64_t again,
                        const checkrein_prompt *prompt, const checkrein_values *values,
                        checkrein_decision *out);

  /* An attempt came back, and the policy may look at what it gave (call id 0: at nothing); or it failed. */
  int32_t (*result)(checkrein_run run, checkrein_now now, const checkrein_returned *returned,
                    const checkrein_usage *usage, checkrein_call call, const checkrein_values *values,
                    checkrein_decision *out);
  int32_t (*fail)(checkrein_run run, checkrein_now now, uint64_t attempt, const checkrein_usage *usage,
                  const checkrein_failure *failure, checkrein_decision *out);

  /* An attempt came back, and nothing is decided about it; what it really used is learnt later, once. */
  int32_t (*settle)(checkrein_run run, checkrein_now now, uint64_t attempt, const checkrein_usage *usage,
                    checkrein_settlement *out);
  int32_t (*adjust)(checkrein_run run, checkrein_now now, uint64_t attempt, const checkrein_usage *usage,
                    checkrein_settlement *out);

  /* A person has answered: 1 is yes, 0 is no. Then ask the call again. */
  int32_t (*answer)(checkrein_run run, checkrein_now now, uint64_t request, uint32_t approve);

  /* A model's attempt has produced so many tokens more. Gives how many it may still produce (0 means stop),
   * or a status: CHECKREIN_ALREADY_SETTLED once the attempt is over, whoever ended it. No lock is taken. */
  int32_t (*meter)(checkrein_run run, uint64_t attempt, checkrein_meter *out);
  int64_t (*count)(checkrein_meter meter, uint64_t tokens);

  /* A text of the run's latest decision, by its number, and the text's whole length. */
  int32_t (*text)(checkrein_run run, uint64_t number, uint32_t which, checkrein_buffer buffer, size_t *out);

  /* The run is over: open attempts are charged what they hold. Closing it lets go of it, and ends it too. */
  int32_t (*end)(checkrein_run run, checkrein_now now);
  int32_t (*close_run)(checkrein_run run);
  int32_t (*close_meter)(checkrein_meter meter);
  int32_t (*close_ledger)(checkrein_ledger ledger);
  int32_t (*close_program)(checkrein_program program);
} checkrein_table;

/* The table, from the library; null if it has not this version. */
const checkrein_table *checkrein_api(uint32_t abi);

/* -- short forms ------------------------------------------------------------------------------------- */

static inline checkrein_text checkrein_text_of(const char *text) {
  checkrein_text made = {text, strlen(text)};
  return made;
}

static inline checkrein_value checkrein_missing(void) {
  checkrein_value made = {CHECKREIN_MISSING, 0, {0}, 0};
  return made;
}

static inline checkrein_value checkrein_flag(int flag) {
  checkrein_value made = {CHECKREIN_FLAG, 0, {0}, 0};
  made.of.integer = flag != 0;
  return made;
}

static inline checkrein_value checkrein_integer(int64_t integer) {
  checkrein_value made = {CHECKREIN_INTEGER, 0, {0}, 0};
  made.of.integer = integer;
  return made;
}

static inline checkrein_value checkrein_real(double real) {
  checkrein_value made = {CHECKREIN_REAL, 0, {0}, 0};
  made.of.real = real;
  return made;
}

static inline checkrein_value checkrein_string(const char *text) {
  checkrein_value made = {CHECKREIN_TEXT, 0, {0}, 0};
  made.of.text = text;
  made.size = strlen(text);
  return made;
}

#ifdef __cplusplus
}
#endif

#endif
