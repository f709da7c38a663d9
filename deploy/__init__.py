"""Everything needed to stand it up; imported by no stage."""
