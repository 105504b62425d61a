//! Operations: one a file, an options struct and a function, made of the stages.
//!
//! Invariant: the only place where stages and I/O are put together. May not print.

mod apply;
mod connect;
mod explain;
mod init;
mod load;
mod lock;
mod plan;
mod render;
mod schema;
mod status;
mod validate;
