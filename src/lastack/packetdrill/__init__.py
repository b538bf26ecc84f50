"""packetdrill, the field's test language for TCPs: its parser, and what runs it against this TCP or the kernel."""
