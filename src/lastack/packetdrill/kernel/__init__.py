"""The Linux kernel as the machine under test: in a sandbox, in real time."""
