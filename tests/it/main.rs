//! The one integration-test binary: linking is what costs.

mod ssa_cases;
mod ssa_generator;
mod ssa_oracle;
mod ssa_reference;
