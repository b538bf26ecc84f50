"""The tests of lastack; each room of src/lastack has its folder here."""
