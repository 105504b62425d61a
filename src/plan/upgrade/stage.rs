//! What is wanted now of clusters that are on their way.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use semver::Version;
use serde_json::{Value, json};

use super::live::{self, ControlPlane};
use super::path::{path, row};
use super::{Course, IMAGE, PoolCourse};
use crate::fleet::model::{Cluster, Fleet, Hosted, NodePool, Release};
use crate::plan::DesiredUnit;
use crate::plan::change::{Action, Block, Change, FieldDiff, Later, Ownership, Payload, Precondition, Preview, Reason};
use crate::providers::{LiveObject, Observation, Observed};
use crate::resource::{ManagementClusterName, Manifest, ResourceId, Stewardship, Target, UnitId};

/// Minor versions that nodes may be behind their control plane.
const SKEW: u64 = 3;

/// What the live objects are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Objects of a control plane, which says how far it is: a step is staged.
    Live,
    /// What other files came to: the way is told, and the change is the whole of it.
    Rendered,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Staged {
    /// The manifests of units in which something waits for its turn.
    pub units: BTreeMap<UnitId, Vec<Manifest>>,
    /// The ways of those that are on one.
    pub courses: BTreeMap<UnitId, Course>,
    /// What waits for its turn.
    pub held: Vec<HeldBack>,
}

/// An object that is wanted with another release later.
#[derive(Clone, Debug)]
pub struct HeldBack {
    /// The object, as it is wanted now.
    pub manifest: Manifest,
    /// The image that it is asked for.
    pub before: String,
    /// The one that follows.
    pub after: String,
    /// After what.
    pub waits: String,
}

impl HeldBack {
    /// What follows, of an object of which other things change now.
    pub fn later(&self) -> Later {
        Later {
            field: self.field(),
            after: self.waits.clone(),
        }
    }

    fn field(&self) -> FieldDiff {
        FieldDiff {
            field: IMAGE.to_owned(),
            before: Some(self.before.as_str().into()),
            after: Some(self.after.as_str().into()),
            owner: None,
            replaces: false,
        }
    }

    /// What follows, as a change that waits.
    pub fn change(&self, recorded_on: &ManagementClusterName, live: &LiveObject) -> Change {
        Change {
            id: self.manifest.id.clone(),
            unit: self.manifest.unit.clone(),
            recorded_on: recorded_on.clone(),
            api_version: self.manifest.api_version.clone(),
            action: Action::Update,
            reason: Reason::Changed,
            fields: vec![self.field()],
            preview: Preview::Predicted,
            blocks: vec![Block::Upgrade {
                after: self.waits.clone(),
            }],
            precondition: Some(Precondition {
                uid: live.uid.clone(),
                version: live.version.clone(),
            }),
            seen: None,
            mutated: BTreeSet::new(),
            source: None,
            ownership: Ownership::Ours,
            depends_on: self.manifest.depends_on.clone(),
            payload: Payload::none(),
            oci: None,
            unresolved: Vec::new(),
            later: None,
        }
    }
}

/// Stages what the files want of each cluster by how far it is.
pub fn stage(
    fleet: &Fleet,
    desired: &BTreeMap<UnitId, DesiredUnit<'_>>,
    observed: &BTreeMap<Target, Observation>,
    way: Way,
) -> Staged {
    let look = |id: &ResourceId| match observed.get(&id.target)?.objects.get(id)? {
        Observed::Present(live) => live.parse().ok(),
        Observed::Absent | Observed::Unknown(_) => None,
    };
    let found: Vec<(UnitId, Found<'_>)> = fleet
        .clusters
        .par_iter()
        .filter_map(|(name, cluster)| {
            let unit = UnitId::Cluster(name.clone());
            let of_cluster = OfCluster {
                cluster,
                hosted: cluster.hosted()?,
                manifests: desired.get(&unit)?.manifests,
                look: &look,
                way,
            };
            Some((unit, of_cluster.stage()?))
        })
        .collect();
    let mut staged = Staged::default();
    for (unit, found) in found {
        if way == Way::Live {
            if let Some(manifests) = found.manifests() {
                staged.units.insert(unit.clone(), manifests);
            }
            staged.held.extend(found.held);
        }
        staged.courses.insert(unit, found.course);
    }
    staged
}

struct OfCluster<'a> {
    cluster: &'a Cluster,
    hosted: &'a Hosted,
    manifests: &'a [Manifest],
    look: &'a (dyn Fn(&ResourceId) -> Option<Value> + Sync),
    way: Way,
}

/// What is staged of one cluster.
struct Found<'a> {
    all: &'a [Manifest],
    course: Course,
    /// Images instead of those in the manifests.
    images: BTreeMap<ResourceId, String>,
    held: Vec<HeldBack>,
}

impl Found<'_> {
    /// The manifests with these images; none where they are as they were.
    fn manifests(&self) -> Option<Vec<Manifest>> {
        if self.images.is_empty() {
            return None;
        }
        let with = |manifest: &Manifest| match self.images.get(&manifest.id) {
            Some(image) => with_image(manifest, image),
            None => manifest.clone(),
        };
        Some(self.all.iter().map(with).collect())
    }

    /// Leaves the image of an object as it is for now.
    fn hold(&mut self, manifest: &Manifest, (before, after): (&str, &str), waits: &str) {
        self.images.insert(manifest.id.clone(), before.to_owned());
        self.held.push(HeldBack {
            manifest: with_image(manifest, before),
            before: before.to_owned(),
            after: after.to_owned(),
            waits: waits.to_owned(),
        });
    }
}

/// A live pool.
struct Pool<'a> {
    model: &'a NodePool,
    manifest: &'a Manifest,
    image: String,
    asked: Option<Version>,
    /// What its nodes run, where that is behind.
    runs: Option<Version>,
}

impl<'a> OfCluster<'a> {
    /// None where the control plane is not there, or does not tell; or where all of it is where it is to be.
    fn stage(&self) -> Option<Found<'a>> {
        let hosted = self.find("HostedCluster", &self.cluster.object_name)?;
        let object = (self.look)(&hosted.id)?;
        let releases = self.hosted.node_pools.values().map(|pool| &pool.release);
        let known: Vec<&Release> = [&self.hosted.release]
            .into_iter()
            .chain(&self.hosted.via)
            .chain(&self.hosted.known)
            .chain(releases)
            .collect();
        let live = match self.way {
            Way::Live => ControlPlane::of(&object, &known)?,
            Way::Rendered => ControlPlane::rendered(&object, &known)?,
        };
        // Who never completed a version has no nodes of any to lose.
        let completed = live.completed.as_ref()?;
        let mut pools = self.hosted.node_pools.values();
        if live.image == self.hosted.release.image
            && live.running.is_none()
            && pools.all(|pool| pool.release.version <= completed.version)
        {
            return None;
        }
        let pools = self.pools(&known);
        let mut found = Found {
            all: self.manifests,
            course: Course {
                from: completed.version.clone(),
                under_way: live.running.as_ref().map(|_| live.asked.clone()),
                not_upgradeable: live.not_upgradeable.clone(),
                ..Course::default()
            },
            images: BTreeMap::new(),
            held: Vec::new(),
        };
        self.control_plane(hosted, &live, &pools, &mut found);
        self.follow(&live, completed, &pools, &mut found);
        let is_there = found.course.steps.is_empty() && found.course.pools.is_empty() && found.course.gap.is_none();
        (!is_there).then_some(found)
    }

    fn find(&self, kind: &str, name: &str) -> Option<&'a Manifest> {
        let is_it = |manifest: &&Manifest| {
            manifest.id.kind == kind && manifest.id.name == name && manifest.id.group == "hypershift.openshift.io"
        };
        self.manifests.iter().find(is_it)
    }

    fn pools(&self, known: &[&Release]) -> Vec<Pool<'a>> {
        let pools = self.hosted.node_pools.values().filter_map(|model| {
            let manifest = self.find("NodePool", &model.object_name)?;
            let object = (self.look)(&manifest.id)?;
            let (image, asked) = live::pool(&object, known)?;
            Some(Pool {
                model,
                manifest,
                runs: live::nodes_run(&object).or_else(|| asked.clone()),
                image,
                asked,
            })
        });
        pools.collect()
    }

    fn control_plane(&self, hosted: &Manifest, live: &ControlPlane, pools: &[Pool<'_>], found: &mut Found<'_>) {
        let target = &self.hosted.release;
        // What another tool writes goes its own way; pools of ours follow it all the same.
        if live.image == target.image || hosted.stewardship == Stewardship::Observed {
            return;
        }
        let way = match path(&live.asked, (&self.hosted.via, &self.hosted.known), target) {
            Ok(way) => way,
            Err(gap) => {
                found.course.gap = Some(gap);
                return;
            }
        };
        found.course.steps = way.iter().map(|release| release.version.clone()).collect();
        // The same version under another name is no step.
        let Some(next) = way.first() else { return };
        let behind = |pool: &&Pool<'_>| {
            let runs = pool.runs.as_ref().map_or(u64::MAX, row);
            runs.saturating_add(SKEW) < row(&next.version)
        };
        let waits = match &live.running {
            Some(how) if row(&next.version) != row(&live.asked) => {
                Some(format!("the control plane to complete {} ({how})", live.asked))
            }
            _ => pools.iter().find(behind).map(|pool| {
                format!(
                    "the nodes of pool {} to come closer: they are more than {SKEW} minor versions behind {}",
                    pool.model.name, next.version
                )
            }),
        };
        if self.way == Way::Rendered {
            return;
        }
        match waits {
            Some(waits) => {
                found.hold(hosted, (&live.image, &next.image), &waits);
                found.course.waits = Some(waits);
            }
            None if next.image != target.image => {
                found.images.insert(hosted.id.clone(), next.image.clone());
            }
            None => {}
        }
    }

    /// Pools go on when their control plane has been there.
    fn follow(&self, live: &ControlPlane, completed: &Release, pools: &[Pool<'_>], found: &mut Found<'_>) {
        for pool in pools {
            let wanted = &pool.model.release;
            let is_ours = pool.manifest.stewardship == Stewardship::Managed;
            if pool.image == wanted.image || wanted.version <= completed.version || !is_ours {
                continue;
            }
            found.course.pools.push(PoolCourse {
                name: pool.model.name.to_string(),
                from: pool.asked.clone(),
                to: wanted.version.clone(),
            });
            // Where the control plane's next step would leave it too far behind, it goes as far as it can before.
            let next = found.course.steps.first().unwrap_or(&live.asked);
            let asked = pool.asked.as_ref().unwrap_or(&completed.version);
            if row(asked).saturating_add(SKEW) < row(next) && *asked < completed.version {
                found.images.insert(pool.manifest.id.clone(), completed.image.clone());
                continue;
            }
            let waits = format!("the control plane to complete {}", wanted.version);
            found.hold(pool.manifest, (&pool.image, &wanted.image), &waits);
            if found.course.steps.is_empty() {
                let how = live.running.as_deref().unwrap_or("it has not begun");
                found.course.waits = Some(format!("{waits} ({how})"));
            }
        }
    }
}

/// A manifest of its own, with another release: what is recorded of it is not the record of what comes later.
fn with_image(manifest: &Manifest, image: &str) -> Manifest {
    let mut body = manifest.body();
    if let Some(release) = body.pointer_mut("/spec/release") {
        release["image"] = json!(image);
    }
    let Manifest {
        id, unit, stewardship, ..
    } = manifest;
    match Manifest::new(id.target.clone(), unit.clone(), *stewardship, &body) {
        Ok(mut staged) => {
            staged.depends_on.clone_from(&manifest.depends_on);
            staged
        }
        // Of what was a manifest before.
        Err(_) => manifest.clone(),
    }
}
