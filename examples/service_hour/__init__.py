"""An hour of a service of twenty hosts whose network loses packets and breaks: `python -m examples.service_hour`."""
