"""What a `test` block says about whose run it is, what time it is, and what the run knows."""

from checkrein import testing

POLICY = """
language 1 policy "scopes"
model "large" is "t/large" { place cloud window 10k tokens output 1k tokens
  price input $1 output $1 per 1M tokens }
tool "look" { class retrieve }
fact tenant.id text
limit "per user" on user each day in "Europe/Rome" { tool_calls <= 2 } else stop "over"
limit "burst" on org rolling 1 min { model_calls <= 1 } else deny
limit "tenant" on tenant.id { tokens <= 500 tokens } else deny
retry "slow" on tool any { when error.kind == "timeout" attempts <= 2 backoff 1 h .. 1 h } else fail "over"
state "over" tell user "over"
"""
WHOSE = 'as user "u1" org "o1" facts { tenant.id "acme" }'


def misses(*items):
    (result,) = testing.run_source(f'{POLICY}\ntest "t" {{ {WHOSE} {" ".join(items)} }}', "scopes.rein")
    return [(miss.expected, miss.came) for miss in result.misses]


def test_a_day_ends_at_midnight_of_its_zone():
    looks = 'repeat 2 { tool "look" { } }'
    assert not misses(
        'at time "2026-01-10T22:00:00Z"', looks, 'tool "look" { } expect stop "over" by "per user"'
    )
    assert not misses('at time "2026-01-10T22:00:00Z"', looks, "wait 1 h", 'tool "look" { } expect allow')
    assert not misses(
        'at time "2026-01-10T22:00:00Z"',
        looks,
        'at time "2026-01-10T23:00:00Z"',
        'tool "look" { } expect allow',
    )


def test_a_clock_that_would_go_back_is_a_miss():
    """Who only reads the test cannot tell: the retry's delay takes the clock past the time."""
    found = misses(
        'at time "2026-01-10T22:00:00Z"', 'tool "look" { } fails "timeout" 1 times', "expect allow",
        'at time "2026-01-10T22:30:00Z"',
    )  # fmt: skip
    assert [expected for expected, _ in found] == ["a time that is not over"]


def test_a_rolling_window_moves_with_the_clock():
    call = 'model "large" { input 10 output 10 }'
    assert not misses(call, call, 'expect deny by "burst"', "wait 2 min", call, "expect allow")


def test_the_facts_of_a_run_name_its_account():
    call = 'model "large" { input 480 output 20 }'
    assert not misses(call, "expect allow", "wait 2 min", call, 'expect deny by "tenant"')


def test_every_test_begins_with_nothing_spent():
    block = f'{WHOSE} repeat 2 {{ tool "look" {{ }} }} expect allow'
    source = f'{POLICY} test "one" {{ {block} }} test "two" {{ {block} }}'
    assert [result.passed for result in testing.run_source(source, "scopes.rein")] == [True, True]


LOOK = 'tool "look" { }'


def test_a_new_run_goes_on_with_what_is_spent_under_wider_limits():
    assert not misses(LOOK, "new run", LOOK, "expect allow", LOOK, 'expect stop "over" by "per user"')
    assert not misses(LOOK, "new run", LOOK, "new run", LOOK, 'expect stop "over" by "per user"')
    assert not misses(
        f"repeat 3 {{ new run {LOOK} }}", 'expect stop "over" by "per user" expect allow at call 2'
    )


def test_a_stop_ends_with_its_run():
    spent = [LOOK, LOOK, LOOK, 'expect stop "over"']
    assert not misses(*spent, "new run", LOOK, 'expect stop "over" by "per user" at call 4')
    assert not misses(*spent, 'new run as user "somebody else"', LOOK, "expect allow")


def test_a_new_run_is_of_the_same_but_for_what_is_said():
    other = 'new run as user "bob"'
    assert not misses(LOOK, LOOK, other, LOOK, LOOK, "expect allow", LOOK, 'expect stop "over" by "per user"')
    assert not misses(
        LOOK, LOOK, other, LOOK, "new run", LOOK, "expect allow", "new run", LOOK, 'expect stop "over"'
    )
    call = 'model "large" { input 480 output 20 }'
    tenants = [call, "wait 2 min", 'new run facts { tenant.id "another" }', call]
    assert not misses(*tenants, "expect allow", "wait 2 min", call, 'expect deny by "tenant"')


def test_a_person_who_was_asked_in_a_run_that_is_over_answers_no_more():
    source = """
        language 1 policy "p" tool "pay" { }
        rule "big" on tool "pay" then escalate to "q" because "x"
        queue "q" { expires 10 min default deny }
        test "t" {
          tool "pay" { } new run approve
          tool "pay" { } approve expect allow expect escalate to "q" at call 1
        }
    """
    (result,) = testing.run_source(source, "p.rein")
    assert [miss.came for miss in result.misses] == ["no call that waits"]
