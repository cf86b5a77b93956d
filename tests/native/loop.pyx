# A token loop of an edge model in Cython: compiled against the installed wheel, run without the interpreter.
# cython: language_level=3

from libc.string cimport memset

from checkrein._core cimport *

cdef const checkrein_table* api = checkrein_import()


def generate(uint64_t handle, int64_t wanted):
    """Write tokens until enough, or until no more are paid for: how many, and what the last count said."""
    cdef checkrein_meter meter
    cdef int64_t written = 0, left = 1
    meter.id = handle
    with nogil:
        while written < wanted and left > 0:
            left = api.count(meter, 1)
            written += left >= 0
    return written, left


def decide(bytes artifact, list amounts):
    """The outcome of each refund, in one run of the door's own."""
    cdef checkrein_program program
    cdef checkrein_ledger none
    cdef checkrein_scopes scopes
    cdef checkrein_run run
    cdef checkrein_call refund
    cdef checkrein_decision decision
    cdef checkrein_names names
    cdef checkrein_values values
    cdef checkrein_value[2] arguments
    cdef checkrein_text[2] named
    cdef checkrein_text given
    cdef checkrein_now now
    cdef int64_t amount
    cdef int32_t status

    named[0], named[1] = checkrein_text_of(b"order_id"), checkrein_text_of(b"amount")
    memset(&names, 0, sizeof(names))
    names.arguments, names.argument_count = &named[0], 2
    given.data, given.size = artifact, len(artifact)
    must(api.load(given, &program))
    must(api.bind_tool(program, checkrein_text_of(b"refund"), &names, &refund))
    none.id, now.mono, now.wall = 0, 1, 1
    memset(&scopes, 0, sizeof(scopes))
    scopes.user = checkrein_text_of(b"bob")
    must(api.begin(program, none, &scopes, 1, now, &run))
    memset(&values, 0, sizeof(values))
    values.arguments, values.argument_count = &arguments[0], 2
    outcomes = []
    for each in amounts:
        amount = each
        with nogil:
            arguments[0], arguments[1] = checkrein_string(b"A1"), checkrein_integer(amount)
            status = api.tool_call(run, now, refund, 0, &values, &decision)
        must(status)
        outcomes.append(decision.outcome)
    must(api.close_run(run))
    must(api.close_program(program))
    return outcomes


cdef int must(int32_t status) except -1:
    cdef char[256] text
    cdef checkrein_buffer buffer
    if status != CHECKREIN_OK:
        buffer.data, buffer.size = text, sizeof(text)
        api.message(buffer)
        raise RuntimeError(text.decode())
    return 0
