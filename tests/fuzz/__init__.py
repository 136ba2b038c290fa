"""Coverage-guided fuzzing of what reads a server's bytes (`make fuzz`).

`targets` holds the four functions that are fuzzed: each takes any bytes, reads them as a server's,
and asserts what is promised of all bytes. `corpus/<target>/` are inputs that are worth to begin
with: files with a name are written by hand, those named by a hash are what the fuzzer found.
`run` fuzzes them one after the other, each in a process of `fuzzer`, which needs atheris.

A crash becomes a regression test by putting its file, under a name that says what it is, into the
corpus: `test_corpus` gives every file of it to its target.
"""
