# The door for C in Cython: `from checkrein._core cimport checkrein_import`. docs/c.md explains it.

from cpython.pycapsule cimport PyCapsule_Import
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef extern from "checkrein.h" nogil:
    enum:
        CHECKREIN_ABI
        CHECKREIN_OK
        CHECKREIN_CLOSED
        CHECKREIN_ALREADY_SETTLED
        CHECKREIN_FLAG
        CHECKREIN_INTEGER
        CHECKREIN_REAL
        CHECKREIN_TEXT
        CHECKREIN_LIST
        CHECKREIN_EXACT
        CHECKREIN_AT_LEAST
        CHECKREIN_UNKNOWN
        CHECKREIN_UNSENT
        CHECKREIN_ALLOW
        CHECKREIN_REUSE
        CHECKREIN_ANSWER
        CHECKREIN_WAIT
        CHECKREIN_ESCALATE
        CHECKREIN_DENY
        CHECKREIN_FAIL
        CHECKREIN_STOP
        CHECKREIN_BY
        CHECKREIN_REASON
        CHECKREIN_ANSWER_TEXT
        CHECKREIN_MODEL
        CHECKREIN_STATE
        CHECKREIN_TELL_AGENT
        CHECKREIN_TELL_USER
        CHECKREIN_QUEUE
        CHECKREIN_WANTS

    const uint64_t CHECKREIN_NONE
    const char* CHECKREIN_CAPSULE

    ctypedef struct checkrein_program:
        uint64_t id

    ctypedef struct checkrein_call:
        uint64_t id

    ctypedef struct checkrein_ledger:
        uint64_t id

    ctypedef struct checkrein_run:
        uint64_t id

    ctypedef struct checkrein_meter:
        uint64_t id

    ctypedef struct checkrein_text:
        const char* data
        size_t size

    ctypedef struct checkrein_buffer:
        char* data
        size_t size

    ctypedef struct checkrein_now:
        uint64_t mono
        uint64_t wall

    ctypedef struct checkrein_value:
        uint32_t kind

    ctypedef struct checkrein_names:
        const checkrein_text* arguments
        size_t argument_count
        const checkrein_text* facts
        size_t fact_count

    ctypedef struct checkrein_values:
        const checkrein_value* arguments
        size_t argument_count
        const checkrein_value* facts
        size_t fact_count

    ctypedef struct checkrein_key:
        checkrein_text name
        checkrein_text id

    ctypedef struct checkrein_scopes:
        checkrein_text run
        checkrein_text session
        checkrein_text user
        checkrein_text team
        checkrein_text org
        const checkrein_key* keys
        size_t key_count

    ctypedef struct checkrein_prompt:
        uint64_t input_tokens
        uint64_t max_output

    ctypedef struct checkrein_usage:
        uint64_t input
        uint64_t output
        uint64_t cache_read
        uint64_t cache_write
        uint64_t reasoning
        uint32_t kind
        uint32_t reserved

    ctypedef struct checkrein_returned:
        uint64_t attempt
        uint64_t fingerprint
        uint32_t flags
        uint32_t reserved

    ctypedef struct checkrein_failure:
        checkrein_text kind
        uint64_t status
        uint64_t retry_after
        uint64_t fingerprint
        uint32_t billed
        uint32_t flags

    ctypedef struct checkrein_decision:
        uint64_t number
        uint64_t call
        uint64_t attempt
        uint64_t attempt_number
        uint64_t output_cap
        uint64_t timeout_ns
        uint64_t wait_ns
        uint64_t request
        uint64_t expires_at
        uint64_t answered
        uint64_t reused
        uint64_t reserved_tokens
        uint64_t reserved_cost
        uint32_t outcome
        uint32_t flags

    ctypedef struct checkrein_settlement:
        uint64_t input_tokens
        uint64_t output_tokens
        uint64_t tokens
        uint64_t cost
        uint64_t reserved_tokens
        uint64_t reserved_cost

    ctypedef struct checkrein_table:
        uint32_t abi
        uint32_t size
        checkrein_text (*version)() noexcept nogil
        size_t (*message)(checkrein_buffer) noexcept nogil
        checkrein_now (*now)() noexcept nogil
        int32_t (*load)(checkrein_text, checkrein_program*) noexcept nogil
        int32_t (*bind_tool)(checkrein_program, checkrein_text, const checkrein_names*,
                             checkrein_call*) noexcept nogil
        int32_t (*bind_model)(checkrein_program, checkrein_text, const checkrein_names*,
                              checkrein_call*) noexcept nogil
        int32_t (*bind_result)(checkrein_program, checkrein_text, const checkrein_names*,
                               checkrein_call*) noexcept nogil
        int32_t (*open_ledger)(checkrein_text, uint32_t, checkrein_now, checkrein_ledger*) noexcept nogil
        int32_t (*begin)(checkrein_program, checkrein_ledger, const checkrein_scopes*, uint64_t,
                         checkrein_now, checkrein_run*) noexcept nogil
        int32_t (*tool_call)(checkrein_run, checkrein_now, checkrein_call, uint64_t, const checkrein_values*,
                             checkrein_decision*) noexcept nogil
        int32_t (*model_call)(checkrein_run, checkrein_now, checkrein_call, uint64_t, const checkrein_prompt*,
                              const checkrein_values*, checkrein_decision*) noexcept nogil
        int32_t (*result)(checkrein_run, checkrein_now, const checkrein_returned*, const checkrein_usage*,
                          checkrein_call, const checkrein_values*, checkrein_decision*) noexcept nogil
        int32_t (*fail)(checkrein_run, checkrein_now, uint64_t, const checkrein_usage*,
                        const checkrein_failure*, checkrein_decision*) noexcept nogil
        int32_t (*settle)(checkrein_run, checkrein_now, uint64_t, const checkrein_usage*,
                          checkrein_settlement*) noexcept nogil
        int32_t (*adjust)(checkrein_run, checkrein_now, uint64_t, const checkrein_usage*,
                          checkrein_settlement*) noexcept nogil
        int32_t (*answer)(checkrein_run, checkrein_now, uint64_t, uint32_t) noexcept nogil
        int32_t (*meter)(checkrein_run, uint64_t, checkrein_meter*) noexcept nogil
        int64_t (*count)(checkrein_meter, uint64_t) noexcept nogil
        int32_t (*text)(checkrein_run, uint64_t, uint32_t, checkrein_buffer, size_t*) noexcept nogil
        int32_t (*end)(checkrein_run, checkrein_now) noexcept nogil
        int32_t (*close_run)(checkrein_run) noexcept nogil
        int32_t (*close_meter)(checkrein_meter) noexcept nogil
        int32_t (*close_ledger)(checkrein_ledger) noexcept nogil
        int32_t (*close_program)(checkrein_program) noexcept nogil

    checkrein_text checkrein_text_of(const char*)
    checkrein_value checkrein_missing()
    checkrein_value checkrein_flag(int)
    checkrein_value checkrein_integer(int64_t)
    checkrein_value checkrein_real(double)
    checkrein_value checkrein_string(const char*)


cdef inline const checkrein_table* checkrein_import() except NULL:
    """The table, from the installed package. The interpreter is needed here, and nowhere after it."""
    table = <const checkrein_table*>PyCapsule_Import(CHECKREIN_CAPSULE, 0)
    if table.abi != CHECKREIN_ABI or table.size < sizeof(checkrein_table):
        raise ImportError("the installed checkrein has another table than this module was compiled for")
    return table
