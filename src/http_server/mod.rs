//! A small HTTP/1.1 server, for the sandbox's APIs and for what the daemon tells and is told.
//!
//! Invariant: nothing but loopback is listened on unless the caller names an address, and everything that a client can make
//! grow has a bound: [`Bounds`]. Knows nothing of what it serves, and depends on no other module.

mod api;
mod server;

pub use self::api::{Api, Body, ConnectionClosed, Lost, Peer, Request, Response, full, is_lost};
pub use self::server::{Bounds, Server};
