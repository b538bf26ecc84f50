"""Recording and drawing, in any world: timeline, ladder diagram, state diagram, captures, the names of the states."""
