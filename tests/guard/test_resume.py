"""A run that was claimed and not gone on with: whoever asks next gets it, and nobody else has it then."""

import os

import pytest

import checkrein


def search(query):
    return f"found {query}"


class Lossy:
    """A ledger that does what it is asked, and whose answers are lost."""

    def __init__(self, ledger):
        self.ledger = ledger

    def claim(self, *arguments):
        self.ledger.claim(*arguments)
        raise checkrein.EngineError("the answer was lost", "away")

    def __getattr__(self, name):
        return getattr(self.ledger, name)


def kind_of(call, *arguments, **named):
    with pytest.raises(checkrein.EngineError) as raised:
        call(*arguments, **named)
    return raised.value.kind


@pytest.fixture
def stored(make_guard, tmp_path):
    """A guard with a store that others may use, too."""
    guard = make_guard(store=tmp_path / "ledger.db", clock=None)
    yield guard
    guard.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_does_not_inherit_the_wish_to_go_on(stored):
    stored.run(id="r1").suspend()
    real = stored.ledger
    stored.ledger = Lossy(real)
    assert kind_of(stored.resume, "r1") == "away"
    stored.ledger = real
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = stored.resume("r1").id
        except checkrein.EngineError as error:
            said = error.kind
        os.write(writer, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"already_resumed"
    assert stored.resume("r1").id == "r1"
