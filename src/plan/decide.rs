//! One object at a time: desired, recorded and live → what is to be done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::change::{
    Action, Block, Body, Change, FieldDiff, FieldOwner, OwnedBy, Ownership, Payload, Precondition, Preview, Reason,
};
use super::cloud;
use super::conflict::{Resolution, forced, resolve};
use super::ignore::{self, IgnoredField, Rules};
use super::known::{KNOWN_AFTER_APPLY, Known, Open, restore};
use super::mask::{is_secret, mask};
use super::ownership::ownership;
use crate::fleet::model::ConflictRule;
use crate::inventory::{Entry, OciEntry};
use crate::providers::{Copied, Kind, LiveObject, Observation, Observed, Sensitive};
use crate::resource::{FleetUid, ManagementClusterName, Manifest, Part, ResourceId, Stewardship, Target};
use crate::schema::{Gvk, Schema};
use crate::ssa;

/// The field manager under which everything is written.
pub const MANAGER: &str = "fleetwright";

/// What every decision needs to know.
pub(super) struct Context<'a> {
    /// The fleet.
    pub(super) fleet: &'a FleetUid,
    /// Conflict rules, the first match counting.
    pub(super) conflicts: &'a [ConflictRule],
    /// What is left as it is.
    pub(super) ignore: &'a Rules<'a>,
    /// What was seen, by target; a target that is missing has no provider.
    pub(super) observed: &'a BTreeMap<Target, Observation>,
    /// What references stand for.
    pub(super) known: &'a Known<'a>,
    /// The time to write into predicted managedFields, RFC 3339.
    pub(super) now: &'a str,
}

impl Context<'_> {
    /// That of what no record knows: what was there before may have been deleted today, and OCI remembers the token by which that
    /// was made. By an unreadable clock there was nothing before.
    fn first_incarnation(&self) -> u32 {
        let now = self.now.parse::<jiff::Timestamp>();
        now.map_or(0, |now| u32::try_from(now.as_second()).unwrap_or(0))
    }

    pub(super) fn observed(&self, id: &ResourceId) -> Option<&Observed> {
        self.observed.get(&id.target)?.objects.get(id)
    }

    fn schema(&self, manifest: &Manifest) -> Option<&Arc<Schema>> {
        let kind = Kind {
            group: manifest.id.group.clone(),
            version: manifest.version().to_owned(),
            kind: manifest.id.kind.clone(),
        };
        self.observed.get(&manifest.id.target)?.schemas.get(&kind)
    }

    fn copied(&self, id: &ResourceId) -> Option<&Copied> {
        self.observed.get(&id.target)?.copied.get(id)
    }

    /// The document that is wanted, with what is copied and what is referred to filled in, and the references that are
    /// known only after an apply.
    fn document(&self, manifest: &Manifest) -> (Sensitive, Open) {
        let mut document = match self.copied(&manifest.id) {
            Some(copied) => copied.document.expose().clone(),
            None => manifest.body(),
        };
        let open = if manifest.refers() {
            self.known.fill(&mut document)
        } else {
            Open::default()
        };
        (Sensitive::new(document), open)
    }
}

/// What comes of an object that the fleet wants.
pub(super) enum Decision {
    /// There is something to do, or something to say.
    Change(Box<Change>),
    /// It is as it should be; with what a record keeps of it where it is OCI's.
    Settled(Option<OciEntry>),
}

/// What to do about an object that the fleet wants. What is passed over is put into `ignored`.
pub(super) fn wanted(
    manifest: &Manifest,
    recorded_on: &ManagementClusterName,
    entry: Option<&Entry>,
    context: &Context<'_>,
    ignored: &mut Vec<IgnoredField>,
) -> Decision {
    let mut change = Change {
        id: manifest.id.clone(),
        unit: manifest.unit.clone(),
        recorded_on: recorded_on.clone(),
        api_version: manifest.api_version.clone(),
        action: Action::Leave,
        reason: Reason::Unseen,
        fields: Vec::new(),
        preview: Preview::Document,
        blocks: Vec::new(),
        precondition: None,
        seen: None,
        mutated: BTreeSet::new(),
        source: context.copied(&manifest.id).map(|copied| Precondition {
            uid: copied.uid.clone(),
            version: copied.version.clone(),
        }),
        ownership: Ownership::Nobody,
        depends_on: manifest.depends_on.clone(),
        payload: Payload {
            digest: Some(manifest.digest()),
            ..Payload::none()
        },
        oci: None,
        unresolved: Vec::new(),
        later: None,
    };
    if manifest.stewardship == Stewardship::Observed {
        change.blocks.push(Block::NotManaged);
    }
    match context.observed(&manifest.id) {
        None => change.blocks.push(Block::NoProvider),
        Some(Observed::Unknown(reason)) => {
            // What could not be looked up is why it could not be looked at.
            let open = context.known.fill(&mut manifest.body());
            let reasons = if open.unknown.is_empty() {
                vec![reason.clone()]
            } else {
                open.unknown
            };
            change
                .blocks
                .extend(reasons.into_iter().map(|reason| Block::Unknown { reason }));
        }
        Some(Observed::Absent) => {
            change.action = Action::Create;
            change.reason = match entry {
                // What we had deleted ourselves is gone as it was meant to be.
                Some(Entry {
                    uid: Some(_),
                    going: false,
                    ..
                }) => Reason::Vanished,
                _ => Reason::New,
            };
            write_whole(&mut change, manifest, entry, context);
        }
        Some(Observed::Present(live)) => {
            let mut kept = None;
            let Some(mut change) = present(change, manifest, live, entry, (context, ignored, &mut kept)) else {
                return Decision::Settled(kept);
            };
            if change.reason == Reason::Drifted && is_all_to_come(&change) {
                change.reason = Reason::ReferenceChanged;
            }
            return Decision::Change(Box::new(change));
        }
    }
    if matches!(change.blocks.last(), Some(Block::NoProvider)) {
        // What it would be is known all the same: it is shown as a create that waits.
        change.action = Action::Create;
        change.reason = Reason::New;
        write_whole(&mut change, manifest, entry, context);
    }
    Decision::Change(Box::new(change))
}

/// What the inventory should say of an object that is there as it is wanted; `kept` is what [`Decision::Settled`] has.
pub(super) fn entry(
    manifest: &Manifest,
    recorded: Option<&Entry>,
    kept: Option<OciEntry>,
    context: &Context<'_>,
) -> Option<Entry> {
    let Some(Observed::Present(live)) = context.observed(&manifest.id) else {
        return None;
    };
    let before = recorded.and_then(|entry| entry.oci.as_ref());
    let oci = kept.map(|kept| OciEntry {
        incarnation: before.map_or(0, |entry| entry.incarnation),
        adopted: before.is_some_and(|entry| entry.adopted),
        ..kept
    });
    Some(Entry {
        id: manifest.id.clone(),
        api_version: manifest.api_version.clone(),
        uid: Some(live.uid.clone()),
        digest: Some(manifest.digest()),
        oci,
        going: false,
    })
}

/// The change writes the whole document.
fn write_whole(change: &mut Change, manifest: &Manifest, entry: Option<&Entry>, context: &Context<'_>) {
    let (document, open) = context.document(manifest);
    let about = context.ignore.about(&manifest.id, &manifest.unit);
    if about.wants_to_meet() {
        about.meet(document.expose(), None);
    }
    keep_place(change, document.expose(), entry, context);
    note(change, open);
    change.payload.body = payload(change, &document, Some(manifest));
}

/// Notes what of the document is not known.
fn note(change: &mut Change, open: Open) {
    change.unresolved = open.unresolved;
    let unknown = open.unknown.into_iter().map(|reason| Block::Unknown { reason });
    change.blocks.extend(unknown);
}

/// Notes what the record keeps of an OCI document. One that was there and is gone is another one when it is made again.
fn keep_place(change: &mut Change, document: &Value, entry: Option<&Entry>, context: &Context<'_>) {
    if change.id.target == Target::Oci {
        let before = entry.and_then(|entry| entry.oci.as_ref());
        let was_there = entry.is_some_and(|entry| entry.uid.is_some()) || change.reason == Reason::Vanished;
        let incarnation = match before {
            Some(before) if change.action == Action::Create && was_there => before.incarnation.saturating_add(1),
            Some(before) => before.incarnation,
            None => context.first_incarnation(),
        };
        let mut entry = cloud::entry(document, before, incarnation);
        // What is made is ours from the beginning, whoever had made what was there before.
        entry.adopted &= change.action != Action::Create;
        change.oci = Some(entry);
    }
}

/// A document as it is written; what is copied from a Secret stays out of sight.
fn payload(change: &Change, document: &Sensitive, rendered: Option<&Manifest>) -> Body {
    let (id, mut whole) = (&change.id, document.expose().clone());
    restore(&mut whole, &change.unresolved);
    if id.kind == "Secret" && id.group.is_empty() {
        Body::Secret(Sensitive::new(whole))
    } else {
        let text = whole.to_string();
        // Most documents are written as they were rendered.
        let same = rendered.filter(|manifest| manifest.canonical() == text);
        Body::Plain(same.map_or_else(|| text.into(), Manifest::canonical_shared))
    }
}

/// The object is there: nothing to do, or an update, or an adoption.
fn present(
    mut change: Change,
    manifest: &Manifest,
    object: &LiveObject,
    entry: Option<&Entry>,
    (context, ignored, kept): (&Context<'_>, &mut Vec<IgnoredField>, &mut Option<OciEntry>),
) -> Option<Change> {
    let live = match object.parse() {
        Ok(live) => live,
        Err(error) => {
            change.blocks.push(Block::Unknown {
                reason: format!("the server's answer is no JSON: {error}"),
            });
            return Some(change);
        }
    };
    change.precondition = Some(Precondition {
        uid: object.uid.clone(),
        version: object.version.clone(),
    });
    change.ownership = ownership(&manifest.id, &object.uid, &live, entry, context.fleet);
    let found = matches!(
        change.ownership,
        Ownership::Foreign | Ownership::Replaced | Ownership::Unrecorded
    );
    let schema = context.schema(manifest);
    let (document, open) = context.document(manifest);
    let about = context.ignore.about(&manifest.id, &manifest.unit);
    if about.wants_to_meet() {
        about.meet(document.expose(), Some(&live));
    }
    if let Some(block) = terminating(&live).filter(|_| manifest.stewardship == Stewardship::Managed) {
        change.action = Action::Create;
        change.reason = if entry.is_some() { Reason::Vanished } else { Reason::New };
        change.blocks.push(block);
        change.precondition = None;
        write_whole(&mut change, manifest, entry, context);
        return Some(change);
    }
    keep_place(&mut change, document.expose(), entry, context);
    let compared = open.unknown.is_empty();
    note(&mut change, open);
    if !compared {
        return Some(change);
    }
    if manifest.id.target == Target::Oci {
        kept.clone_from(&change.oci);
        let change = cloud::present(change, manifest, document.expose(), &live, entry, (&about, ignored))?;
        let observation = context.observed.get(&Target::Oci);
        let is_remade = cloud::has_ended(&change) && !cloud::may_be_routed_to(observation, &object.uid);
        return Some(if is_remade {
            cloud::remade(change, &live)
        } else {
            change
        });
    }
    let settled = |document: &Sensitive| {
        let settles = |schema: &Arc<Schema>| ssa::is_noop(document.expose(), &live, MANAGER, schema);
        manifest.stewardship == Stewardship::Managed && !found && schema.is_some_and(settles)
    };
    if settled(&document) {
        return None;
    }
    let document = match left(&change, &document, &live, (schema, &about), context) {
        Some(left) => {
            ignored.extend(left.ignored);
            let document = Sensitive::new(left.document);
            if settled(&document) {
                return None;
            }
            document
        }
        None => document,
    };
    if let (Some(schema), Stewardship::Observed) = (schema, manifest.stewardship) {
        return left_to_others(change, &document, &live, schema, context);
    }
    let unchanged = entry.and_then(|entry| entry.digest) == Some(manifest.digest());
    (change.action, change.reason) = match (found, unchanged) {
        (true, _) if change.ownership == Ownership::Unrecorded => (Action::Adopt, Reason::Unrecorded),
        (true, _) => (Action::Adopt, Reason::Found),
        (false, true) => (Action::Update, Reason::Drifted),
        (false, false) => (Action::Update, Reason::Changed),
    };
    let Some(schema) = schema else {
        if is_judged_by_fields(&change.id.kind) {
            let reason = "what it would change is not known: the schema of its kind can't be read".to_owned();
            change.blocks.push(Block::Unknown { reason });
            return Some(change);
        }
        // Without a schema only the server can say what would come of it; `confirm` asks it.
        change.payload.body = payload(&change, &document, Some(manifest));
        return Some(change);
    };
    predict(change, &document, live, schema, context)
}

/// Whether guards, and what a change costs, go by the fields of the kind: without them a downgrade, or the loss of all nodes,
/// would pass for nothing much.
fn is_judged_by_fields(kind: &str) -> bool {
    Part::of(kind).is_some()
}

/// What is wanted, less what rules leave as it is.
fn left(
    change: &Change,
    document: &Sensitive,
    live: &Value,
    (schema, about): (Option<&Arc<Schema>>, &ignore::About<'_>),
    context: &Context<'_>,
) -> Option<ignore::Left> {
    if about.is_empty() {
        return None;
    }
    let open = || {
        let (group, version) = change.api_version.split_once('/').unwrap_or(("", &change.api_version));
        let kind = &change.id.kind;
        Arc::new(Schema::deduced(Gvk { group, version, kind }))
    };
    let schema = schema.cloned().unwrap_or_else(open);
    let forced = || forced(document, live, &schema, context);
    ignore::kubernetes(about, change, document.expose(), live, &schema, forced)
}

/// An object that is on its way out is not there for long, whatever its contents.
fn terminating(live: &Value) -> Option<Block> {
    let since = live.pointer("/metadata/deletionTimestamp")?.as_str()?.to_owned();
    let finalizers = live.pointer("/metadata/finalizers").and_then(Value::as_array);
    let names = finalizers
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned);
    Some(Block::Terminating {
        since,
        finalizers: names.collect(),
    })
}

/// The fleet leaves the object to others: where its contents are what the files say, there is nothing to show; whose it is
/// and what labels it has is theirs to say.
fn left_to_others(
    mut change: Change,
    document: &Sensitive,
    live: &Value,
    schema: &Schema,
    context: &Context<'_>,
) -> Option<Change> {
    // What was ours once is not somebody's because we look on.
    change.reason = if change.ownership == Ownership::Ours {
        Reason::Changed
    } else {
        Reason::Found
    };
    if let Some(wanted) = forced(document, live, schema, context) {
        change.fields = field_diffs(&change.id, live, &wanted, schema);
        change.fields.retain(|field| !field.field.starts_with(".metadata."));
        change.preview = Preview::Predicted;
        if change.fields.is_empty() {
            return None;
        }
    }
    Some(change)
}

/// Computes what the write would make of the object.
fn predict(
    mut change: Change,
    document: &Sensitive,
    mut live: Value,
    schema: &Schema,
    context: &Context<'_>,
) -> Option<Change> {
    let before = live.clone();
    if change.action == Action::Adopt
        && let Some(fields) = ssa::take_over(
            &live,
            &is_predecessor,
            &ssa::field_set_of(document.expose(), schema),
            MANAGER,
            context.now,
        )
    {
        if let Some(metadata) = live.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("managedFields".to_owned(), fields.clone());
        }
        change.payload.managed_fields = Some(fields);
    }
    let resolution = resolve(&change.id, document, &live, schema, context);
    match resolution {
        Resolution::Applied {
            document,
            result,
            force,
        } => {
            change.fields = field_diffs(&change.id, &before, &result, schema);
            change.preview = Preview::Predicted;
            if change.reason == Reason::Drifted && change.source.is_some() && is_all_ours(&change.fields) {
                change.reason = Reason::SourceChanged;
            }
            change.payload.force = force;
            change.payload.body = payload(&change, &document, None);
            // All that differed was yielded to other managers, or is no difference in its normal form.
            let settled =
                change.action == Action::Update && change.fields.is_empty() && owners(&before) == owners(&result);
            (!settled).then_some(change)
        }
        Resolution::Refused { conflicts, forced } => {
            if let Some(forced) = forced {
                change.fields = field_diffs(&change.id, &before, &forced, schema);
                change.preview = Preview::Predicted;
            }
            change.blocks.push(Block::Conflict {
                fields: conflicts
                    .into_iter()
                    .map(|conflict| OwnedBy {
                        field: conflict.field.to_string(),
                        manager: conflict.manager,
                    })
                    .collect(),
            });
            Some(change)
        }
        Resolution::Invalid(message) => {
            change.blocks.push(Block::Invalid { message });
            Some(change)
        }
        Resolution::Failed(reason) => {
            change.blocks.push(Block::Unknown { reason });
            Some(change)
        }
    }
}

/// The managedFields without their times.
pub(super) fn owners(object: &Value) -> Vec<Value> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut entries: Vec<Value> = entries.cloned().unwrap_or_default();
    for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
        entry.remove("time");
    }
    entries
}

/// Whether each field that changes is to name something that is still to be made.
fn is_all_to_come(change: &Change) -> bool {
    let names = |field: &FieldDiff| {
        let after = field.after.as_ref();
        after.is_some_and(|after| after.to_string().contains(KNOWN_AFTER_APPLY))
    };
    !change.unresolved.is_empty() && !change.fields.is_empty() && change.fields.iter().all(names)
}

/// Whether all that differs was last set by ourselves.
fn is_all_ours(fields: &[FieldDiff]) -> bool {
    let is_ours = |field: &FieldDiff| field.owner.as_ref().is_some_and(|owner| owner.manager == MANAGER);
    !fields.is_empty() && fields.iter().all(is_ours)
}

/// The document of a payload.
pub(crate) fn payload_value(body: &Body) -> Option<Sensitive> {
    match body {
        Body::None => None,
        Body::Plain(text) => serde_json::from_str(text).ok().map(Sensitive::new),
        Body::Secret(document) => Some(document.clone()),
    }
}

/// Tools whose fields an adoption takes over: so that a line removed in Git later really removes the field.
pub(super) fn is_predecessor(manager: &str, _: ssa::Operation) -> bool {
    const EXACT: [&str; 7] = [
        "kubectl",
        "helm",
        "Helm",
        "argocd-controller",
        "kustomize-controller",
        "helm-controller",
        "flux",
    ];
    manager.starts_with("kubectl-") || manager == "before-first-apply" || EXACT.contains(&manager)
}

/// Field by field, secrets masked, with the present value's owner.
pub(crate) fn field_diffs(id: &ResourceId, before: &Value, after: &Value, schema: &Schema) -> Vec<FieldDiff> {
    ssa::field_changes(Some(before), after, schema)
        .into_iter()
        .map(|change| shown(id, before, change))
        .collect()
}

/// One field of a live object, a secret masked, with the present value's owner.
pub(super) fn shown(id: &ResourceId, live: &Value, change: ssa::FieldChange) -> FieldDiff {
    let (before, after) = if is_secret(id, &change.field) {
        mask(change.before.as_ref(), change.after.as_ref())
    } else {
        (change.before.clone(), change.after)
    };
    FieldDiff {
        owner: change
            .before
            .as_ref()
            .and_then(|_| ssa::owner_of(live, &change.field).into_iter().next_back())
            .map(|owner| FieldOwner {
                manager: owner.manager,
                time: Some(owner.time).filter(|time| !time.is_empty()),
            }),
        field: change.field.to_string(),
        before,
        after,
        replaces: false,
    }
}
