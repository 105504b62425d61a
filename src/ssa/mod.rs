//! Server-side apply, computed here: field sets, managedFields, the merge.
//!
//! What an API server would store is [`apply()`] for a server-side apply and [`update()`] for any other write. [`is_noop`]
//! says without computing it that nothing would change. The rest reads what is stored: who owns a field
//! ([`owner_of`]), which fields differ ([`field_changes`]), and what managedFields become when we take over from another
//! tool ([`take_over()`]).
//!
//! Invariant: pure; equal to the API server's own answer (differential tests against its library). May depend on
//! `resource` and `schema`.

mod apply;
mod changes;
mod compare;
mod deduce;
mod field_set;
mod fields_v1;
mod hold;
mod managed;
mod merge;
mod noop;
pub mod normal;
mod owners;
mod reconcile;
mod remove;
mod step;
mod store;
mod take_over;
#[cfg(test)]
mod tests;
mod to_set;
mod update;
mod updater;
mod validate;
mod value;

pub use apply::{ApplyOutcome, ApplyRequest, Conflict, SsaError, apply, apply_through};
pub use changes::{FieldChange, field_changes};
pub use field_set::FieldSet;
pub use fields_v1::FieldsError;
pub use hold::{Held, Left, hold};
pub use managed::{ManagedEntry, ManagedFields, ManagedFieldsError, Operation};
pub use noop::is_noop;
pub use owners::{Owner, owner_of};
pub use take_over::take_over;
pub use to_set::field_set_of;
pub use update::{UpdateRequest, update};
pub use validate::Violation;
