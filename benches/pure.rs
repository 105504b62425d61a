//! Criterion benches of the pure stages.
fn main() {}
