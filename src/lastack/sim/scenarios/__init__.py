"""Named scenarios: what a TCP does and why, each run in virtual time, drawn, and held to what it claims.

`registry` keeps them, `play` runs one and returns its `Result`, `stage` is where it happens: two hosts, the network
between them, and an application at each end. Every other file in this package holds scenarios of one topic; whatever
file stands here is found by itself.
"""
