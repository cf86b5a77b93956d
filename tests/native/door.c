/* An agent's calls decided from C: `door POLICY.reinc` shows what the table does, with N it is timed. */
#define _POSIX_C_SOURCE 200809L
#include <checkrein.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const checkrein_table *api;

/* -- what is asked ----------------------------------------------------------------------------------- */

/* Ends the program unless the call went as it should. */
static void want_(int32_t got, int32_t wanted, const char *what, int line) {
  if (got != wanted) {
    char text[256];
    checkrein_buffer buffer = {text, sizeof text};
    api->message(buffer);
    fprintf(stderr, "line %d: %s gave %d, not %d: %s\n", line, what, got, wanted, text);
    exit(1);
  }
}

static void holds_(int is_so, const char *what, int line) {
  if (!is_so) {
    fprintf(stderr, "line %d: %s does not hold\n", line, what);
    exit(1);
  }
}

#define WANT(call, status) want_((call), (status), #call, __LINE__)
#define OK(call) WANT(call, CHECKREIN_OK)
#define HOLDS(condition) holds_((condition), #condition, __LINE__)

/* Time is a number of the caller's. */
static checkrein_now at(uint64_t seconds) {
  checkrein_now now = {seconds * 1000000000u, 1700000000000000000u + seconds * 1000000000u};
  return now;
}

static void show(checkrein_run run, const checkrein_decision *decision) {
  static const char *outcomes[] = {"allow", "reuse", "answer", "wait", "escalate", "deny", "fail", "stop"};
  const uint32_t asked[] = {CHECKREIN_BY, CHECKREIN_REASON, CHECKREIN_MODEL, CHECKREIN_TELL_USER};
  printf("%s", outcomes[decision->outcome]);
  for (size_t each = 0; each < sizeof asked / sizeof *asked; each++) {
    char text[64];
    checkrein_buffer buffer = {text, sizeof text};
    size_t size;
    OK(api->text(run, decision->number, asked[each], buffer, &size));
    HOLDS(size == strlen(text));
    printf(" | %s", text);
  }
  printf(" | %" PRIu64 "\n", decision->reserved_cost);
}

static checkrein_program load(const char *path) {
  FILE *file = fopen(path, "rb");
  HOLDS(file != NULL);
  static char bytes[1 << 20];
  checkrein_text artifact = {bytes, fread(bytes, 1, sizeof bytes, file)};
  fclose(file);
  checkrein_program program;
  OK(api->load(artifact, &program));
  artifact.size--;
  checkrein_program none = {0};
  WANT(api->load(artifact, &none), CHECKREIN_LOAD);
  HOLDS(none.id == 0);
  return program;
}

/* -- a run ------------------------------------------------------------------------------------------- */

typedef struct bound {
  checkrein_call refund, search, answer;
} bound;

static bound bind(checkrein_program program) {
  checkrein_text arguments[] = {checkrein_text_of("order_id"), checkrein_text_of("amount")};
  checkrein_text facts[] = {
    checkrein_text_of("customer.tier"), checkrein_text_of("risk.score"), checkrein_text_of("ticket.tags"),
  };
  checkrein_text query = checkrein_text_of("query"), step = checkrein_text_of("step.kind");
  checkrein_names refund = {arguments, 2, facts, 3}, search = {&query, 1, NULL, 0};
  checkrein_names answer = {NULL, 0, &step, 1};
  bound made;
  OK(api->bind_tool(program, checkrein_text_of("refund"), &refund, &made.refund));
  OK(api->bind_tool(program, checkrein_text_of("search_kb"), &search, &made.search));
  checkrein_text any = {NULL, 0};
  OK(api->bind_model(program, any, &answer, &made.answer));

  checkrein_text wrong = checkrein_text_of("customer.teir");
  checkrein_names unknown = {NULL, 0, &wrong, 1}, twice = {arguments, 2, facts, 3};
  arguments[1] = arguments[0];
  checkrein_call none;
  WANT(api->bind_model(program, any, &unknown, &none), CHECKREIN_UNKNOWN_NAME);
  WANT(api->bind_tool(program, checkrein_text_of("refund"), &twice, &none), CHECKREIN_BAD_VALUE);
  return made;
}

static checkrein_decision refund(checkrein_run run, bound calls, uint64_t now, int64_t cents, double risk,
                                 const char *tag) {
  checkrein_value tags = checkrein_string(tag);
  checkrein_value arguments[] = {checkrein_string("A1"), checkrein_integer(cents)};
  checkrein_value facts[] = {checkrein_string("free"), checkrein_real(risk), {CHECKREIN_LIST, 0, {0}, 1}};
  facts[2].of.items = &tags;
  checkrein_values values = {arguments, 2, facts, 3};
  checkrein_decision decision;
  OK(api->tool_call(run, at(now), calls.refund, 0, &values, &decision));
  show(run, &decision);
  return decision;
}

static checkrein_decision ask(checkrein_run run, bound calls, uint64_t now, const char *step) {
  checkrein_value fact = checkrein_string(step);
  checkrein_values values = {NULL, 0, &fact, 1};
  checkrein_prompt prompt = {1000, 500};
  checkrein_decision decision;
  OK(api->model_call(run, at(now), calls.answer, 0, &prompt, &values, &decision));
  show(run, &decision);
  return decision;
}

static void tools(checkrein_run run, bound calls) {
  checkrein_settlement settled;
  checkrein_usage nothing = {0}, unsent = {0};
  unsent.kind = CHECKREIN_UNSENT;

  checkrein_decision allowed = refund(run, calls, 1, 9900, 0.1, "new");
  OK(api->settle(run, at(2), allowed.attempt, &nothing, &settled));
  WANT(api->settle(run, at(2), allowed.attempt, &unsent, &settled), CHECKREIN_ALREADY_SETTLED);
  WANT(api->settle(run, at(2), 99, &nothing, &settled), CHECKREIN_UNKNOWN_ATTEMPT);

  refund(run, calls, 3, 9901, 0.9, "new");      /* too risky */
  refund(run, calls, 3, 9902, 0.1, "blocked");  /* an element of a list */
  checkrein_decision asked = refund(run, calls, 4, 10001, 0.1, "new"); /* above $100: somebody is asked */
  OK(api->answer(run, at(5), asked.request, 1));
  checkrein_value tags = checkrein_string("new");
  checkrein_value arguments[] = {checkrein_string("A1"), checkrein_integer(10001)};
  checkrein_value facts[] = {checkrein_missing(), checkrein_missing(), {CHECKREIN_LIST, 0, {0}, 1}};
  facts[2].of.items = &tags;
  checkrein_values values = {arguments, 2, facts, 3};
  checkrein_decision again;
  OK(api->tool_call(run, at(6), calls.refund, asked.call, &values, &again));
  show(run, &again);

  checkrein_text kind = checkrein_text_of("timeout");
  checkrein_failure timeout = {kind, CHECKREIN_NONE, CHECKREIN_NONE, CHECKREIN_NONE, 0, 0};
  checkrein_decision waits;
  OK(api->fail(run, at(7), again.attempt, &nothing, &timeout, &waits));
  show(run, &waits);
  HOLDS(waits.outcome == CHECKREIN_WAIT && waits.wait_ns == 1000000000u);
  char text[64];
  checkrein_buffer buffer = {text, sizeof text};
  size_t size;
  WANT(api->text(run, again.number, CHECKREIN_BY, buffer, &size), CHECKREIN_GONE);
}

/* The loop of an edge model, which is nowhere told how many tokens were paid for. */
static void *generate(void *meter) {
  static _Thread_local uint64_t written;
  while (api->count(*(checkrein_meter *)meter, 1) > 0) written++;
  return &written;
}

static void models(checkrein_run run, bound calls) {
  checkrein_decision decision = ask(run, calls, 10, "answer");
  HOLDS(decision.output_cap == 500 && decision.reserved_cost == 6000000u);
  checkrein_meter meter, same;
  OK(api->meter(run, decision.attempt, &meter));
  OK(api->meter(run, decision.attempt, &same));
  HOLDS(meter.id == same.id);
  HOLDS(api->count(meter, 0) == 500 && api->count(meter, 100) == 400);
  pthread_t threads[2];
  for (int each = 0; each < 2; each++) HOLDS(!pthread_create(&threads[each], NULL, generate, &meter));
  for (int each = 0; each < 2; each++) HOLDS(!pthread_join(threads[each], NULL));
  HOLDS(api->count(meter, 0) == 0);
  WANT((int32_t)api->count(meter, UINT64_MAX), CHECKREIN_BAD_VALUE);
  checkrein_usage unknown = {1000, 0, 0, 0, 0, CHECKREIN_UNKNOWN, 0};
  checkrein_settlement settled;
  OK(api->settle(run, at(11), decision.attempt, &unknown, &settled));
  printf("charged %" PRIu64 " of %" PRIu64 "\n", settled.cost, settled.reserved_cost);
  WANT((int32_t)api->count(meter, 1), CHECKREIN_ALREADY_SETTLED);
  WANT(api->meter(run, decision.attempt, &same), CHECKREIN_ALREADY_SETTLED);
  OK(api->close_meter(meter));
  OK(api->close_meter(meter)); /* it was opened twice */
  WANT(api->close_meter(meter), CHECKREIN_CLOSED);
  WANT((int32_t)api->count(meter, 1), CHECKREIN_CLOSED);

  decision = ask(run, calls, 12, "classify");
  checkrein_usage used = {1000, 20, 0, 0, 0, CHECKREIN_EXACT, 0};
  OK(api->settle(run, at(13), decision.attempt, &used, &settled));
  decision = ask(run, calls, 14, "answer");
  checkrein_returned returned = {decision.attempt, CHECKREIN_NONE, 0, 0};
  checkrein_call none = {0};
  OK(api->result(run, at(15), &returned, &used, none, NULL, &decision));
  show(run, &decision);
}

/* What a caller can get wrong is told, and changes nothing. */
static void mistakes(checkrein_program program, checkrein_run run, bound calls) {
  checkrein_decision decision;
  checkrein_value fact = checkrein_string("answer");
  checkrein_values values = {NULL, 0, &fact, 1};
  checkrein_prompt prompt = {1000, 500};
  checkrein_now now = at(20);
  WANT(api->model_call(run, now, calls.answer, 0, &prompt, &values, NULL), CHECKREIN_BAD_VALUE);
  WANT(api->model_call(run, now, calls.answer, 0, NULL, &values, &decision), CHECKREIN_BAD_VALUE);
  WANT(api->model_call(run, now, calls.refund, 0, &prompt, &values, &decision), CHECKREIN_BAD_VALUE);
  values.fact_count = 0;
  WANT(api->model_call(run, now, calls.answer, 0, &prompt, &values, &decision), CHECKREIN_BAD_VALUE);
  values.facts = NULL;
  values.fact_count = 1;
  WANT(api->model_call(run, now, calls.answer, 0, &prompt, &values, &decision), CHECKREIN_BAD_VALUE);
  values.fact_count = SIZE_MAX;
  values.facts = &fact;
  WANT(api->model_call(run, now, calls.answer, 0, &prompt, &values, &decision), CHECKREIN_BAD_VALUE);
  values.fact_count = 1;
  fact.kind = 99;
  WANT(api->model_call(run, now, calls.answer, 0, &prompt, &values, &decision), CHECKREIN_BAD_VALUE);
  fact = checkrein_string("\xff");
  WANT(api->model_call(run, now, calls.answer, 0, &prompt, &values, &decision), CHECKREIN_BAD_VALUE);
  fact = checkrein_flag(0);
  fact.of.integer = 2;
  WANT(api->model_call(run, now, calls.answer, 0, &prompt, &values, &decision), CHECKREIN_BAD_VALUE);
  prompt.input_tokens = UINT64_MAX;
  fact = checkrein_string("answer");
  WANT(api->model_call(run, now, calls.answer, 0, &prompt, &values, &decision), CHECKREIN_BAD_VALUE);
  checkrein_call foreign = {calls.answer.id + ((uint64_t)1 << 32)};
  WANT(api->model_call(run, now, foreign, 0, &prompt, &values, &decision), CHECKREIN_BAD_VALUE);
  checkrein_run stale = {program.id};
  WANT(api->end(stale, now), CHECKREIN_CLOSED);
  stale.id = 0;
  WANT(api->end(stale, now), CHECKREIN_CLOSED);
  checkrein_scopes scopes = {0};
  scopes.user = checkrein_text_of("a\nb");
  checkrein_ledger none = {0};
  WANT(api->begin(program, none, &scopes, 1, now, &stale), CHECKREIN_BAD_VALUE);
  checkrein_failure failure = {checkrein_text_of("tiemout"), 0, 0, 0, 0, 0};
  checkrein_usage usage = {0};
  WANT(api->fail(run, now, 1, &usage, &failure, &decision), CHECKREIN_BAD_VALUE);
  usage.reserved = 1;
  checkrein_settlement settled;
  WANT(api->settle(run, now, 1, &usage, &settled), CHECKREIN_BAD_VALUE);
  char text[8] = "unused";
  checkrein_buffer buffer = {text, sizeof text};
  HOLDS(api->message(buffer) > sizeof text && strlen(text) == sizeof text - 1);
}

/* -- figures ----------------------------------------------------------------------------------------- */

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void measure(checkrein_run run, bound calls, uint64_t count, double begun, double loaded) {
  double all = (seconds() - begun) * 1e6;
  struct rusage used_so_far;
  HOLDS(getrusage(RUSAGE_SELF, &used_so_far) == 0);
  printf("from main to a run %.0f us, of which loading %.0f us, and %ld KB of memory\n", all, loaded * 1e6,
         used_so_far.ru_maxrss);
  checkrein_decision decision = ask(run, calls, 10, "classify");
  checkrein_meter meter;
  OK(api->meter(run, decision.attempt, &meter));
  double token = 1, asked = 1;
  for (int round = 0; round < 20; round++) {
    double from = seconds();
    int64_t left = 0;
    for (uint64_t each = 0; each < count; each++) left |= api->count(meter, 1);
    HOLDS(left >= 0);
    double took = (seconds() - from) / (double)count;
    token = took < token ? took : token;
    from = seconds();
    checkrein_value fact = checkrein_string("classify");
    checkrein_values values = {NULL, 0, &fact, 1};
    checkrein_prompt prompt = {1000, 500};
    checkrein_usage used = {1000, 20, 0, 0, 0, CHECKREIN_EXACT, 0};
    checkrein_settlement settled;
    for (uint64_t each = 0; each < count / 100; each++) {
      api->model_call(run, at(11), calls.answer, 0, &prompt, &values, &decision);
      api->settle(run, at(11), decision.attempt, &used, &settled);
    }
    took = (seconds() - from) / (double)(count / 100);
    asked = took < asked ? took : asked;
  }
  HOLDS(decision.outcome == CHECKREIN_ALLOW);
  printf("a token %.1f ns, a model call with its settlement %.0f ns\n", token * 1e9, asked * 1e9);
}

int main(int count, char **arguments) {
  double begun = seconds();
  api = checkrein_api(CHECKREIN_ABI);
  HOLDS(api != NULL && api->abi == CHECKREIN_ABI && api->size == sizeof(checkrein_table));
  HOLDS(checkrein_api(CHECKREIN_ABI + 1) == NULL);
  HOLDS(count > 1);
  double before = seconds();
  checkrein_program program = load(arguments[1]);
  double loaded = seconds() - before;
  bound calls = bind(program);
  checkrein_ledger ledger;
  checkrein_text memory = {NULL, 0};
  OK(api->open_ledger(memory, 0, at(0), &ledger));
  checkrein_scopes scopes = {0};
  scopes.run = checkrein_text_of("door");
  scopes.user = checkrein_text_of("ann");
  checkrein_run run, other;
  OK(api->begin(program, ledger, &scopes, 7, at(0), &run));
  if (count > 2) {
    measure(run, calls, strtoull(arguments[2], NULL, 10), begun, loaded);
    return 0;
  }
  tools(run, calls);
  models(run, calls);
  mistakes(program, run, calls);

  OK(api->begin(program, ledger, &scopes, 8, at(20), &other));
  /* The first run has spent of the user's money: the call is given fewer tokens. */
  checkrein_decision first = ask(other, calls, 21, "answer");
  pid_t child = fork(); /* nobody adds up what a fork spends */
  if (child == 0) _exit(api->end(run, at(22)) == CHECKREIN_FORKED ? 0 : 1);
  int status;
  HOLDS(waitpid(child, &status, 0) == child && status == 0);
  OK(api->close_program(program)); /* runs keep what they need */
  OK(api->end(run, at(22)));
  ask(run, calls, 23, "answer");
  OK(api->close_run(run));
  WANT(api->end(run, at(24)), CHECKREIN_CLOSED);
  WANT(api->close_run(run), CHECKREIN_CLOSED);
  HOLDS(first.number == 1);
  OK(api->close_run(other));
  OK(api->close_ledger(ledger));
  printf("version %.*s\n", (int)api->version().size, api->version().data);
  return 0;
}
