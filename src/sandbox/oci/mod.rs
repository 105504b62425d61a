//! OCI's API: networking, load balancers, DNS, identity and as much of compute as clusters need.
//!
//! Invariant: what is answered follows from the stored state, the clock and the faults; nothing is answered to a
//! request whose signature is not right. May depend on `sandbox` and on the table of regions; the provider never
//! depends on it, nor it on the provider: what one misunderstands of OCI, the other does not hide.
//!
//! A request goes through [`server`](self::OciServer): signature → operation (`route`) → retry token (`retry`) →
//! what the operation does. Most operations are alike for every kind (`generic`, `list`); what is particular is in
//! the kind's own file. Models are checked against a table (`models`).
//!
//! All services share one address, and are told apart by base path. The region is that of the host name
//! (`iaas.eu-frankfurt-1.…`), or of a first part of the path (`/regions/eu-frankfurt-1/20160918/…`) for clients that
//! are given a URL, or else the server's own.

mod call;
mod cidr;
mod compute;
mod dns;
mod fingerprint;
mod generic;
mod identity;
mod identity_service;
mod kind;
mod kinds;
mod limits;
mod list;
mod load_balancer;
mod log;
mod models;
mod network;
mod network_load_balancer;
mod picture;
mod pools;
mod record;
mod refusal;
mod retry;
mod route;
mod server;
mod signature;
mod state;
#[cfg(test)]
mod tests;
mod work;

pub use call::Principal;
pub use identity::{Identity, KeyError};
pub use limits::Limits;
pub use log::LoggedWrite;
pub use picture::Resource;
pub use refusal::Refusal;
pub use server::OciServer;

/// The operations, by base path.
fn services() -> &'static [(&'static str, &'static [route::Route])] {
    static SERVICES: &[(&str, &[route::Route])] = &[
        ("20160918", network::routes::ROUTES),
        ("20160918", compute::ROUTES),
        ("20160918", pools::ROUTES),
        ("20160918", identity_service::ROUTES),
        ("20200501", network_load_balancer::ROUTES),
        ("20170115", load_balancer::ROUTES),
        ("20180115", dns::ROUTES),
    ];
    SERVICES
}
