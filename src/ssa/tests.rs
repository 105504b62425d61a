//! Tests of the merge by hand-made cases.
