"""The scenarios of `lastack.sim.scenarios` once more, in real time, with the Linux kernel's TCP as one of the two ends.

`catalogue` knows which there are and performs them; `stage` is a sandbox with our host at one end and sockets of the
kernel at the other; the other modules hold the scenarios, sorted as those of the simulation are.
"""
