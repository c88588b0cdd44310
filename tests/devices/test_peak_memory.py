"""The peak of what was in use."""

from jaxpath.devices.memory import peak_memory, start_peak


def test_the_peak_holds_what_was_in_use():
    start_peak()
    block = bytearray(b"1") * 2**28
    assert peak_memory() >= len(block)
