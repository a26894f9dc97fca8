"""Records that are read into columns and become rows without Python: the common form of what is watched as usual."""
