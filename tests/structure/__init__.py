"""What holds for the shape of the whole source tree. Each rule is a function of a tree, shown failing on a bad one."""
