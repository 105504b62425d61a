//! Operations: one a file, an options struct and a function, made of the stages.
//!
//! Invariant: the only place where stages and I/O are put together. May not print.

mod admission;
mod admit;
mod apply;
mod ask;
mod base;
mod caps;
mod cloud;
mod connect;
mod contests;
mod definitions;
mod doctor;
mod existing;
mod explain;
mod fetch;
mod forecast;
mod held;
mod ignore;
mod import;
mod init;
pub mod kubeconfig;
pub mod lease;
mod load;
mod lock;
mod look;
mod narrow;
mod new_directory;
mod origins;
mod plan;
mod preconditions;
mod private_file;
mod pull;
mod render;
mod rights;
mod sandbox;
mod saved;
mod schema;
mod signers;
mod status;
mod supported;
mod taken_out;
mod there;
mod tracer;
mod unread;
mod upgrade;

pub use admission::{AdmissionCheck, check_admission};
pub use admit::{AdmitError, AdmitOptions, Judgement, admit, definitions};
pub use apply::{Leave, apply, leave};
pub use ask::{Answer, AskError, Meant, Patience, Told, reconcile, resume, suspend, suspensions};
pub use base::{Base, BaseError};
pub use caps::{CapError, grant};
pub use cloud::{Auth, Clock, CloudError, OciAccess};
pub use connect::{Access, AccessError, Connected};
pub use contests::{Fought, fought};
pub use doctor::{DoctorOptions, doctor};
pub use explain::{ExplainError, explain};
pub use fetch::{FetchError, FetchOptions, FetchedTree, SshAccess, Token, fetch, mirror};
pub use held::Held;
pub use import::{ImportError, ImportOptions, import, write_imported};
pub use init::{InitError, init};
pub use load::{
    LoadError, LoadOptions, LoadedFleet, ProviderScope, Scope, ScopeError, ScopeView, Templates, TreeOptions, load,
    load_tree,
};
pub use lock::{LockError, write_lock};
pub use narrow::narrow;
pub use new_directory::NewDirectoryError;
pub use origins::trace;
pub use plan::{Against, PlanError, PlanOptions, Planned, plan};
pub use pull::{PullError, Pulled, pull_definitions};
pub use render::{RenderError, Written, render_stream, render_tree};
pub use rights::{IamOptions, IamSubject, RbacOptions, RightsError, iam, rbac};
pub use sandbox::{SandboxError, ServeError, ServeOptions, Served, open_sandbox, ready_sandbox, serve_sandbox};
pub use saved::{PURPOSE, SavedPlanError, moved_files, read_plan, save_plan};
pub use schema::schemas;
pub use status::status;
pub use unread::Unread;
pub use upgrade::{Upgrade, UpgradeError, upgrade};
