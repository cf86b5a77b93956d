"""Wrong policies that no text file can hold, or that would be too long for one: by name, as bytes."""

HEADER = b'language 1\npolicy "p"\n'

MADE = {
    "file-too-large": HEADER + b"#" * (256 * 1024),
    "not-utf-8": HEADER + b'state "over" tell user "Caf\xe9."\n',
    "nul": HEADER + b'state "over" tell user "Done.\x00"\n',
    "byte-order-mark-first": b"\xef\xbb\xbf" + HEADER,
    "too-many-statements": HEADER + b"\n".join(b"fact a.b%d text" % i for i in range(10_001)),
}
