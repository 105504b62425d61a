//! Text and JSON views of what the other modules say. Nothing here decides anything.

pub mod diagnostics;
