//! A plan that is kept, looked at by people, and applied later as it is or not at all.
//!
//! Invariant: what is applied is what was looked at. A saved plan is no list of commands: it says of each unit what its files
//! came to, and of each object what was there and what was to become of it. A fresh plan is made when it is applied, and held
//! to that, field by field; resourceVersions and etags are the fresh plan's, so that a write of a status makes nothing stale.
//! No value is in it, only digests that are salted anew in each. The salt stands beside them, so that who can guess a value can
//! try it: of a Secret's values there are no digests either, but the versions of the objects that hold them. A Secret has no
//! status, so that only another content makes another version of it, or another label.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::{Action, Change, FieldDiff, Precondition};
use super::known::KNOWN_AFTER_APPLY;
use super::mask::holds_secrets;
use super::{Plan, Revised};
use crate::resource::{Digest, FleetUid, ResourceId, Revision, UnitId};

/// Form and version of the file.
pub const SAVED_PLAN: &str = "fleetwright.dev/saved-plan/v1";

/// A saved plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedPlan {
    /// [`SAVED_PLAN`].
    pub schema: String,
    /// The version of the program that made it.
    pub version: String,
    /// The fleet's name, for people.
    pub name: String,
    /// The fleet.
    pub fleet: FleetUid,
    /// The revision that it was made of; what is bound are the units below, so that it may be another one later.
    pub revision: Revision,
    /// Whether the files were those of no commit.
    pub dirty: bool,
    /// The commit that was checked out below them, where they were those of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Revision>,
    /// When, RFC 3339.
    pub made: String,
    /// Digest of the templates.
    pub templates: Option<Digest>,
    /// What the run was allowed beside.
    pub allowed: Allowed,
    /// What digests are salted with, in hexadecimal.
    pub salt: String,
    /// The units that it changes.
    pub units: Vec<SavedUnit>,
    /// The changes, in the order of the plan.
    pub changes: Vec<SavedChange>,
}

/// What a run may do beside what is always done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allowed {
    /// Take over what others made.
    pub adopt: bool,
    /// Change what is suspended.
    pub even_suspended: bool,
}

/// What a unit's files came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedUnit {
    /// The unit.
    pub unit: UnitId,
    /// Digest of its objects; none for one that the files have no longer.
    pub desired: Option<Digest>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedChange {
    /// The unit.
    pub unit: UnitId,
    /// The object.
    pub object: ResourceId,
    /// What was to be done.
    pub action: Action,
    /// Whether it was to go ahead.
    pub goes_ahead: bool,
    /// Whether it was shown as a step that an upgrade takes later.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub follows: bool,
    /// What was shown as such a step of an object that was to be changed before.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub later: BTreeMap<String, SavedField>,
    /// UID or OCID of what was there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uid: Option<String>,
    /// Digest of what was there of an object that is to go.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<Digest>,
    /// resourceVersion of a Secret that was there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// UID and resourceVersion of what a Secret's values are copied from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<[String; 2]>,
    /// By field: digest of what was there, whose it was, and what it was to become.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub fields: BTreeMap<String, SavedField>,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedField {
    /// Digest of the value that was there and of its field manager.
    pub before: Digest,
    /// Digest of the value that was to be; none where that was known only once something else is there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Digest>,
}

/// What the run that saves a plan knows beside it.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The program's version.
    pub version: String,
    /// The fleet's name.
    pub name: String,
    /// The commit that is checked out where the files lie, be they its or not.
    pub head: Option<Revision>,
    /// When, RFC 3339.
    pub made: String,
    /// Digest of the templates.
    pub templates: Option<Digest>,
    /// What the run was allowed.
    pub allowed: Allowed,
    /// Random, in hexadecimal.
    pub salt: String,
}

/// Why a saved plan is not what would be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It is another fleet's.
    Fleet,
    /// Another version of the program made it.
    Version {
        /// That one.
        made_by: String,
    },
    /// Other templates made it.
    Templates,
    /// The files want something else of the unit.
    Unit(UnitId),
    /// The object is not what it was, or something else would be done.
    Object {
        /// The object.
        object: Box<ResourceId>,
        /// How, in words; with the field, where it is one.
        how: String,
    },
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet => f.write_str("it is a plan of another fleet"),
            Self::Version { made_by } => write!(f, "it was made by version {made_by} of this program"),
            Self::Templates => f.write_str("the templates are not those that it was made with"),
            Self::Unit(unit) => write!(f, "{unit}: its files do not come to what they came to"),
            Self::Object { object, how } => write!(f, "{object}: {how}"),
        }
    }
}

/// How a saved plan stands to what would be done now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What is not as it was. Where there is anything, nothing may be applied.
    pub moved: Vec<Moved>,
    /// Objects that are as the plan wants them already.
    pub done: usize,
    /// Objects that are still to be changed.
    pub open: usize,
    /// Objects whose turn in an upgrade has come since: they were shown as later steps, and agreed to is what was to be done at once.
    pub follow: usize,
}

impl SavedChange {
    /// The step that was shown to come later, as it is when its turn has come.
    fn in_turn(&self) -> Option<Self> {
        let goes_ahead = Self {
            goes_ahead: true,
            follows: false,
            later: BTreeMap::new(),
            ..self.clone()
        };
        if self.later.is_empty() {
            return self.follows.then_some(goes_ahead);
        }
        Some(Self {
            action: Action::Update,
            fields: self.later.clone(),
            ..goes_ahead
        })
    }
}

impl SavedPlan {
    /// Of a plan. `desired` gives the digest of a unit's objects.
    pub fn of(plan: &Plan, with: Circumstances, desired: impl Fn(&UnitId) -> Option<Digest>) -> Self {
        let Revised { fleet, revision, .. } = plan.revised.clone();
        let units: BTreeSet<&UnitId> = plan.changes.iter().map(|change| &change.unit).collect();
        Self {
            schema: SAVED_PLAN.to_owned(),
            version: with.version,
            name: with.name,
            fleet,
            dirty: revision.as_str().starts_with("worktree:"),
            head: with.head.filter(|head| *head != revision),
            revision,
            made: with.made,
            templates: with.templates,
            allowed: with.allowed,
            units: units
                .into_iter()
                .map(|unit| SavedUnit {
                    desired: desired(unit),
                    unit: unit.clone(),
                })
                .collect(),
            changes: plan.changes.iter().map(|change| saved(change, &with.salt)).collect(),
            salt: with.salt,
        }
    }

    /// The units that it changes: a fresh plan is made of them alone.
    pub fn scope(&self) -> BTreeSet<UnitId> {
        self.units.iter().map(|unit| unit.unit.clone()).collect()
    }

    /// What has moved since, before anything live is looked at.
    pub fn moved_files(
        &self,
        version: &str,
        fleet: &FleetUid,
        templates: Option<Digest>,
        desired: impl Fn(&UnitId) -> Option<Digest>,
    ) -> Vec<Moved> {
        if *fleet != self.fleet {
            return vec![Moved::Fleet];
        }
        let mut moved = Vec::new();
        if version != self.version {
            moved.push(Moved::Version {
                made_by: self.version.clone(),
            });
        }
        let units = self.units.iter().filter(|unit| desired(&unit.unit) != unit.desired);
        moved.extend(units.map(|unit| Moved::Unit(unit.unit.clone())));
        // Other templates that come to the same do no harm.
        if templates != self.templates && !moved.is_empty() {
            moved.push(Moved::Templates);
        }
        moved
    }

    /// Holds a fresh plan of the same units to it.
    pub fn standing(&self, fresh: &Plan) -> Standing {
        let mut standing = Standing::default();
        let now: BTreeMap<(&UnitId, &ResourceId), &Change> = fresh
            .changes
            .iter()
            .map(|change| ((&change.unit, &change.id), change))
            .collect();
        let mut known = BTreeSet::new();
        let mut following = Vec::new();
        for before in &self.changes {
            let key = (&before.unit, &before.object);
            known.insert(key);
            let Some(change) = now.get(&key) else {
                match passed_over(before, fresh) {
                    Some(how) => standing.moved.push(Moved::Object {
                        object: Box::new(before.object.clone()),
                        how,
                    }),
                    None => standing.done += usize::from(before.goes_ahead),
                }
                continue;
            };
            // It is gone as was wanted; that it is dropped from the record, too, needs nobody's word.
            if (before.action, change.action) == (Action::Delete, Action::Forget) {
                standing.done += usize::from(before.goes_ahead);
                continue;
            }
            if let Some(in_turn) = before.in_turn() {
                // What was to be done before is done, where nothing but the step is left.
                let is_done = usize::from(before.goes_ahead);
                if !before.later.is_empty() && change.follows() {
                    standing.done += is_done;
                    continue;
                }
                if change.goes_ahead() && difference(&in_turn, &of_nobody(change), &self.salt).is_none() {
                    standing.done += is_done;
                    following.push(before.object.clone());
                    continue;
                }
            }
            match difference(before, change, &self.salt) {
                Some(how) => standing.moved.push(Moved::Object {
                    object: Box::new(before.object.clone()),
                    how,
                }),
                None => standing.open += usize::from(change.goes_ahead()),
            }
        }
        if standing.open == 0 && standing.moved.is_empty() {
            standing.follow = following.len();
        } else {
            let moved = following.into_iter().map(|object| Moved::Object {
                object: Box::new(object),
                how: "its turn in an upgrade has come: nobody has agreed to it yet".to_owned(),
            });
            standing.moved.extend(moved);
        }
        for change in &fresh.changes {
            if change.goes_ahead() && !known.contains(&(&change.unit, &change.id)) {
                let field = change.fields.first().map(|field| format!(" ({})", field.field));
                let how = format!("it was as it should be, and is not now{}", field.unwrap_or_default());
                standing.moved.push(Moved::Object {
                    object: Box::new(change.id.clone()),
                    how,
                });
            }
        }
        standing
    }
}

/// Why a change that is there no longer was not made: a rule passes over what it was about.
fn passed_over(before: &SavedChange, fresh: &Plan) -> Option<String> {
    let mut ignored = fresh.ignored.iter().filter(|ignored| ignored.id == before.object);
    let field = ignored.find(|ignored| before.fields.contains_key(&ignored.diff.field))?;
    Some(format!("{} is passed over now", field.diff.field))
}

/// A change without word of whose the fields are: of a step to come that is not looked for.
fn of_nobody(change: &Change) -> Change {
    let mut change = change.clone();
    change.fields.iter_mut().for_each(|field| field.owner = None);
    change
}

fn saved(change: &Change, salt: &str) -> SavedChange {
    let saved_of = |field: &FieldDiff| (field.field.clone(), saved_field(field, salt));
    let of_secret = |known: &Option<Precondition>| known.clone().filter(|_| holds_secrets(&change.id));
    SavedChange {
        unit: change.unit.clone(),
        object: change.id.clone(),
        action: change.action,
        goes_ahead: change.goes_ahead(),
        follows: change.follows(),
        later: change.later.iter().map(|later| saved_of(&later.field)).collect(),
        uid: change.precondition.as_ref().map(|there| there.uid.clone()),
        seen: change.seen.map(|seen| salted(salt, &json!(seen))),
        version: of_secret(&change.precondition).map(|there| there.version),
        source: of_secret(&change.source).map(|from| [from.uid, from.version]),
        fields: change.fields.iter().map(saved_of).collect(),
    }
}

fn saved_field(field: &FieldDiff, salt: &str) -> SavedField {
    let manager = field.owner.as_ref().map(|owner| owner.manager.as_str());
    let is_open = field
        .after
        .as_ref()
        .is_some_and(|after| after.to_string().contains(KNOWN_AFTER_APPLY));
    SavedField {
        before: salted(salt, &json!([field.before, manager])),
        after: (!is_open).then(|| salted(salt, &json!(field.after))),
    }
}

fn salted(salt: &str, value: &Value) -> Digest {
    Digest::of_parts([salt.as_bytes(), value.to_string().as_bytes()])
}

/// How a change differs from what was saved of it; none where it does not.
fn difference(before: &SavedChange, change: &Change, salt: &str) -> Option<String> {
    let now = saved(change, salt);
    // What was not to go ahead, and does not, is nobody's decision.
    if !before.goes_ahead && !now.goes_ahead {
        return None;
    }
    if before.uid != now.uid {
        return Some(match (&before.uid, &now.uid) {
            (None, Some(_)) => "it was not there, and is now".to_owned(),
            (Some(_), None) => "it was there, and is gone".to_owned(),
            _ => "it was replaced by another object of its name".to_owned(),
        });
    }
    if before.action != now.action {
        return Some(format!(
            "it was to be {}, and is to be {} now",
            done(before.action),
            done(now.action)
        ));
    }
    let changed = |(path, field): (&String, &SavedField)| {
        let there = now.fields.get(path)?;
        (there.before != field.before).then(|| format!("{path} was changed since"))
    };
    if before.goes_ahead != now.goes_ahead {
        return Some(match before.goes_ahead {
            // What somebody changed by hand stands in its way by being theirs now.
            true => {
                let moved = before.fields.iter().find_map(changed);
                moved.unwrap_or_else(|| "something stands in its way now".to_owned())
            }
            false => "what stood in its way is gone: nobody has agreed to it yet".to_owned(),
        });
    }
    if before.seen != now.seen {
        return Some("it is to go, and was changed since".to_owned());
    }
    if before.source != now.source {
        return Some("what it is copied from was changed since".to_owned());
    }
    if before.version != now.version {
        return Some("it was changed since".to_owned());
    }
    for (path, field) in &before.fields {
        match now.fields.get(path) {
            None => return Some(format!("{path} was to be changed, and is as it should be now")),
            Some(there) if there.before != field.before => return Some(format!("{path} was changed since")),
            Some(there) if field.after.is_some() && there.after != field.after => {
                return Some(format!("{path} would become something else"));
            }
            Some(_) => {}
        }
    }
    let more = now.fields.keys().find(|path| !before.fields.contains_key(*path));
    more.map(|path| format!("{path} was as it should be, and is not now"))
}

fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Adopt => "adopted",
        Action::Delete => "deleted",
        Action::Forget => "forgotten",
        Action::Leave => "left alone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::{change, plan};
    use crate::plan::change::{Block, FieldOwner, Later};

    fn update(replicas: u32, manager: &str) -> Change {
        let mut one = change("a", "NodePool", "a-x", Action::Update);
        one.precondition = Some(Precondition {
            uid: "u1".to_owned(),
            version: "7".to_owned(),
        });
        one.fields.push(FieldDiff {
            field: ".spec.replicas".to_owned(),
            before: Some(json!(replicas)),
            after: Some(json!(5)),
            owner: Some(FieldOwner {
                manager: manager.to_owned(),
                time: Some("2026-01-01T00:00:00Z".to_owned()),
            }),
            replaces: false,
        });
        one
    }

    fn keep(changes: Vec<Change>) -> SavedPlan {
        let with = Circumstances {
            head: None,
            version: "0.1.0".to_owned(),
            name: "acme".to_owned(),
            made: "2026-01-01T00:00:00Z".to_owned(),
            templates: None,
            allowed: Allowed::default(),
            salt: "5a17".to_owned(),
        };
        SavedPlan::of(&plan(changes), with, |_| Some(Digest::of(b"x")))
    }

    fn says(saved: &SavedPlan, now: Vec<Change>) -> Vec<String> {
        saved
            .standing(&plan(now))
            .moved
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_is_as_it_was_may_be_applied_whatever_its_version_is_now() {
        let saved = keep(vec![update(3, "kubectl")]);
        let mut later = update(3, "kubectl");
        later.precondition = Some(Precondition {
            uid: "u1".to_owned(),
            version: "8".to_owned(),
        });
        let standing = saved.standing(&plan(vec![later]));
        assert_eq!(
            standing,
            Standing {
                open: 1,
                ..Standing::default()
            }
        );
        let standing = saved.standing(&plan(Vec::new()));
        assert_eq!(
            standing,
            Standing {
                done: 1,
                ..Standing::default()
            }
        );
    }

    #[test]
    fn each_interference_is_named() {
        let saved = keep(vec![update(3, "kubectl")]);
        let one = |now: Change| says(&saved, vec![now]).pop().unwrap_or_default();
        assert!(one(update(4, "kubectl")).ends_with(".spec.replicas was changed since"));
        assert!(one(update(3, "somebody")).ends_with(".spec.replicas was changed since"));
        let mut other = update(3, "kubectl");
        other.fields[0].after = Some(json!(6));
        assert!(one(other).ends_with(".spec.replicas would become something else"));
        let mut replaced = update(3, "kubectl");
        replaced.precondition = Some(Precondition {
            uid: "u2".to_owned(),
            version: "7".to_owned(),
        });
        assert!(one(replaced).ends_with("it was replaced by another object of its name"));
        let mut gone = update(3, "kubectl");
        (gone.action, gone.precondition) = (Action::Create, None);
        gone.fields.clear();
        assert!(one(gone).ends_with("it was there, and is gone"));
        let mut more = update(3, "kubectl");
        more.fields.push(FieldDiff {
            field: ".metadata.labels.x".to_owned(),
            ..more.fields[0].clone()
        });
        assert!(one(more).ends_with(".metadata.labels.x was as it should be, and is not now"));
        let mut blocked = update(3, "kubectl");
        blocked.blocks.push(Block::Guard { guard: "g" });
        assert!(one(blocked).ends_with("something stands in its way now"));
        let two = says(
            &saved,
            vec![update(3, "kubectl"), change("a", "NodePool", "a-y", Action::Create)],
        );
        assert!(two[0].ends_with("it was as it should be, and is not now"), "{two:?}");
    }

    #[test]
    fn what_has_gone_as_it_was_to_is_done() {
        let mut delete = update(3, "kubectl");
        delete.action = Action::Delete;
        delete.fields.clear();
        let saved = keep(vec![delete]);
        let forgotten = change("a", "NodePool", "a-x", Action::Forget);
        let standing = saved.standing(&plan(vec![forgotten]));
        assert_eq!(
            standing,
            Standing {
                done: 1,
                ..Standing::default()
            }
        );
    }

    #[test]
    fn what_was_refused_is_not_agreed_to() {
        let mut refused = update(3, "kubectl");
        refused.blocks.push(Block::Guard { guard: "g" });
        let saved = keep(vec![refused.clone()]);
        assert_eq!(says(&saved, vec![refused]), Vec::<String>::new());
        assert!(says(&saved, vec![update(3, "kubectl")])[0].contains("nobody has agreed to it yet"));
    }

    #[test]
    fn a_step_whose_turn_has_come_is_another_plan_s() {
        let mut later = update(3, "kubectl");
        // Whose the field is is looked for when its turn has come.
        later.fields[0].owner = None;
        let after = "its control plane".to_owned();
        later.blocks.push(Block::Upgrade { after });
        let mut first = change("a", "HostedCluster", "a", Action::Update);
        let saved = keep(vec![first.clone(), later.clone()]);
        let due = update(3, "kubectl");
        let standing = saved.standing(&plan(vec![due.clone()]));
        assert_eq!((standing.follow, standing.done, standing.moved.len()), (1, 1, 0));
        // Another than the one that was shown, or beside what is still to be done, it is nobody's.
        assert_eq!(says(&saved, vec![update(4, "kubectl")]).len(), 1);
        first.blocks.clear();
        assert!(says(&saved, vec![first, due])[0].contains("its turn in an upgrade has come"));
    }

    #[test]
    fn what_is_left_after_the_change_is_the_step_that_was_shown_with_it() {
        let step = |to: u32| {
            let mut step = update(4, "kubectl");
            step.fields[0].field = ".spec.release.image".to_owned();
            step.fields[0].after = Some(json!(to));
            step
        };
        let mut whole = update(3, "kubectl");
        let after = "its control plane".to_owned();
        whole.later = Some(Box::new(Later {
            field: of_nobody(&step(5)).fields.remove(0),
            after: after.clone(),
        }));
        let saved = keep(vec![whole.clone()]);
        let stands = |now: Change| saved.standing(&plan(vec![now]));
        assert_eq!(stands(whole).open, 1);
        let mut waits = step(5);
        waits.blocks.push(Block::Upgrade { after });
        assert_eq!((stands(waits.clone()).done, stands(waits).moved), (1, Vec::new()));
        let due = stands(step(5));
        assert_eq!((due.done, due.follow, due.moved), (1, 1, Vec::new()));
        assert_eq!(stands(step(6)).moved.len(), 1);
    }

    #[test]
    fn what_was_known_only_later_may_be_anything() {
        let mut open = update(3, "kubectl");
        open.fields[0].after = Some(json!(format!("{KNOWN_AFTER_APPLY} Vcn/a.id")));
        let saved = keep(vec![open]);
        let mut known = update(3, "kubectl");
        known.fields[0].after = Some(json!("ocid1.vcn.a"));
        assert_eq!(says(&saved, vec![known]), Vec::<String>::new());
    }

    #[test]
    fn holds_no_value_and_no_two_are_alike() {
        let mut secret = update(3, "kubectl");
        secret.fields[0].before = Some(json!("hunter2"));
        let saved = keep(vec![secret]);
        let text = serde_json::to_string(&saved).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(serde_json::from_str::<SavedPlan>(&text).unwrap(), saved);
        let field = |salt: &str| saved_field(&update(3, "kubectl").fields[0], salt).before;
        assert_ne!(field("a"), field("b"));
    }

    #[test]
    fn of_a_secret_it_keeps_versions_and_no_digest_of_its_values() {
        let state = |uid: &str, version: &str| Precondition {
            uid: uid.to_owned(),
            version: version.to_owned(),
        };
        let secret = |there: &str, source: &str| {
            let mut secret = change("a", "Secret", "pull-secret", Action::Update);
            secret.precondition = Some(state("u1", there));
            secret.source = Some(state("u0", source));
            secret.fields = update(3, "kubectl").fields;
            secret
        };
        let saved = keep(vec![secret("7", "3")]);
        assert_eq!(says(&saved, vec![secret("7", "3")]), Vec::<String>::new());
        let one = |now: Change| says(&saved, vec![now]).pop().unwrap_or_default();
        assert!(one(secret("8", "3")).ends_with("it was changed since"));
        assert!(one(secret("7", "4")).ends_with("what it is copied from was changed since"));
        // Of what may have a status, a version says nothing.
        assert_eq!(keep(vec![update(3, "kubectl")]).changes[0].version, None);
    }

    #[test]
    fn files_that_come_to_something_else_make_it_stale() {
        let saved = keep(vec![update(3, "kubectl")]);
        let fleet = saved.fleet.clone();
        let same = |_: &UnitId| Some(Digest::of(b"x"));
        assert!(saved.moved_files("0.1.0", &fleet, None, same).is_empty());
        // Other templates that come to the same objects change nothing.
        assert!(
            saved
                .moved_files("0.1.0", &fleet, Some(Digest::of(b"t")), same)
                .is_empty()
        );
        assert_eq!(
            saved.moved_files("0.1.0", &FleetUid::new("g"), None, same),
            [Moved::Fleet]
        );
        assert_eq!(saved.moved_files("0.2.0", &fleet, None, same).len(), 1);
        let other = saved.moved_files("0.1.0", &fleet, None, |_| None);
        assert!(other[0].to_string().starts_with("cluster a: "), "{other:?}");
    }
}
