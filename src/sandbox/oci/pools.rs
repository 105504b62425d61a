//! Instance pools and the configurations that they launch instances by.

use serde_json::{Map, Value, json};

use super::call::{Call, Reply, objects, text, texts};
use super::compute::INSTANCE;
use super::generic;
use super::identity_service;
use super::kind::{COMMON, Kind, Life, STATELESS};
use super::list;
use super::models::Body;
use super::network::subnet::SUBNET;
use super::refusal::Refusal;
use super::route::{Route, routes};
use super::state::{Record, State, Then, after};

pub(super) static INSTANCE_CONFIGURATION: Kind = Kind {
    name: "InstanceConfiguration",
    ocid: "instanceconfiguration",
    life: STATELESS,
    create: "CreateInstanceConfigurationDetails",
    filters: &[],
    prepare: prepare_configuration,
    ..Kind::PLAIN
};

pub(super) static INSTANCE_POOL: Kind = Kind {
    name: "InstancePool",
    ocid: "instancepool",
    life: Life {
        ready: "RUNNING",
        makes: SCALING,
        unmakes: 20,
        ..COMMON
    },
    create: "CreateInstancePoolDetails",
    update: "UpdateInstancePoolDetails",
    filters: &["displayName", "lifecycleState"],
    prepare,
    born,
    change,
    dies,
    ..Kind::PLAIN
};

/// Seconds that a pool takes to come to its size.
const SCALING: i64 = 30;

pub(super) static ROUTES: &[Route] = routes! {
    POST "instanceConfigurations" CreateInstanceConfiguration INSTANCE_CONFIGURATION generic::create;
    GET "instanceConfigurations" ListInstanceConfigurations INSTANCE_CONFIGURATION list::list;
    GET "instanceConfigurations/{}" GetInstanceConfiguration INSTANCE_CONFIGURATION generic::get;
    DELETE "instanceConfigurations/{}" DeleteInstanceConfiguration INSTANCE_CONFIGURATION delete_configuration;
    POST "instancePools" CreateInstancePool INSTANCE_POOL generic::create;
    GET "instancePools" ListInstancePools INSTANCE_POOL list::list;
    GET "instancePools/{}" GetInstancePool INSTANCE_POOL generic::get;
    PUT "instancePools/{}" UpdateInstancePool INSTANCE_POOL update;
    DELETE "instancePools/{}" TerminateInstancePool INSTANCE_POOL generic::delete;
    GET "instancePools/{}/instances" ListInstancePoolInstances INSTANCE_POOL members;
};

/// What a configuration launches.
fn launched(configuration: &Record) -> Option<&Body> {
    let details = configuration.body().get("instanceDetails")?;
    details.get("launchDetails")?.as_object()
}

fn prepare_configuration(_: &mut State, _: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let launch = fields
        .get("instanceDetails")
        .and_then(|details| details.get("launchDetails")?.get("shape"));
    if fields.get("source") != Some(&json!("INSTANCE")) && launch.is_none() {
        return Err(Refusal::missing("instanceDetails.launchDetails.shape"));
    }
    Ok(())
}

/// A configuration in use can't be deleted; a deleted one is not seen any more.
fn delete_configuration(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = call.param(0).to_owned();
    let configuration = state.get(call, &INSTANCE_CONFIGURATION, &id)?;
    if let Some(pool) = state.holders(&configuration.id).find(|holder| holder.lives()) {
        return Err(Refusal::conflict(format!("{} {} uses it", pool.kind.name, pool.id)));
    }
    generic::delete(state, call)?;
    state.schedule(&id, [(call.now, Then::Purge)]);
    Ok(Reply::done(&id))
}

fn subnet(placement: &Body) -> &str {
    match text(placement, "primarySubnetId") {
        "" => placement
            .get("primaryVnicSubnets")
            .and_then(Value::as_object)
            .map_or("", |subnets| text(subnets, "subnetId")),
        id => id,
    }
}

fn placements(state: &State, call: &Call, fields: &Body) -> Result<(), Refusal> {
    let mut some = false;
    for placement in objects(fields, "placementConfigurations") {
        some = true;
        let domain = text(placement, "availabilityDomain");
        if !identity_service::availability_domains(call.region).any(|known| known == domain) {
            return Err(Refusal::invalid(format!("availabilityDomain: there is no {domain}")));
        }
        state.related(call, "primarySubnetId", &SUBNET, subnet(placement))?;
    }
    if some {
        Ok(())
    } else {
        Err(Refusal::missing("placementConfigurations"))
    }
}

fn size(fields: &Body) -> Result<Option<usize>, Refusal> {
    let Some(size) = fields.get("size") else {
        return Ok(None);
    };
    let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
    size.map(Some)
        .ok_or_else(|| Refusal::invalid("size: must not be negative"))
}

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let configuration = text(fields, "instanceConfigurationId");
    state.related(call, "instanceConfigurationId", &INSTANCE_CONFIGURATION, configuration)?;
    placements(state, call, fields)?;
    size(fields)?;
    fields.insert("poolType".to_owned(), "INSTANCE".into());
    Ok(())
}

fn change(state: &mut State, call: &Call, _: &Record, fields: &mut Body) -> Result<(), Refusal> {
    if let Some(configuration) = fields.get("instanceConfigurationId").and_then(Value::as_str) {
        state.related(call, "instanceConfigurationId", &INSTANCE_CONFIGURATION, configuration)?;
    }
    if fields.contains_key("placementConfigurations") {
        placements(state, call, fields)?;
    }
    size(fields).map(drop)
}

fn born(state: &mut State, call: &Call, id: &str) {
    scale(state, call, id);
}

fn update(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = call.param(0).to_owned();
    generic::update(state, call)?;
    if scale(state, call, &id) {
        generic::set(state, &id, "lifecycleState", "SCALING");
        let ready = Map::from_iter([("lifecycleState".to_owned(), "RUNNING".into())]);
        state.schedule(&id, [(after(call.now, SCALING), Then::Set(ready))]);
    }
    state.find(&id).map(Reply::record).ok_or_else(Refusal::not_found)
}

/// The pool's instances, oldest first.
fn instances<'a>(state: &'a State, pool: &str) -> Vec<&'a Record> {
    let of_pool = |record: &&Record| record.extra().get(POOL).is_some_and(|id| id == pool);
    let mut found: Vec<&Record> = state.all(&INSTANCE).filter(of_pool).collect();
    found.sort_unstable_by_key(|instance| instance.sequence);
    found
}

/// What an instance knows of its pool, which is no field of it.
const POOL: &str = "instancePoolId";
const CONFIGURATION: &str = "instanceConfigurationId";

/// Launches or ends instances until there are as many as are wanted. Gives whether any had to be.
fn scale(state: &mut State, call: &Call, id: &str) -> bool {
    let Some(pool) = state.find(id) else { return false };
    let wanted = size(pool.body()).ok().flatten().unwrap_or_default();
    let there = instances(state, id).into_iter().filter(|instance| instance.lives());
    let there: Vec<String> = there.map(|instance| instance.id.clone()).collect();
    for spare in there.iter().skip(wanted) {
        generic::end(state, call, spare);
    }
    for number in there.len()..wanted {
        // Where there is no room, the pool stays smaller than it should be.
        if launch(state, call, id, number).is_err() {
            break;
        }
    }
    there.len() != wanted
}

fn launch(state: &mut State, call: &Call, id: &str, number: usize) -> Result<(), Refusal> {
    let pool = state.find(id).ok_or_else(Refusal::not_found)?;
    let configuration = pool.text("instanceConfigurationId").to_owned();
    let known = state.related(call, "instanceConfigurationId", &INSTANCE_CONFIGURATION, &configuration)?;
    let mut fields = launched(known).cloned().unwrap_or_default();
    let places: Vec<&Body> = objects(pool.body(), "placementConfigurations").collect();
    let place = number.checked_rem(places.len()).and_then(|index| places.get(index));
    let place = place.ok_or_else(|| Refusal::missing("placementConfigurations"))?;
    let of_place = text(place, "availabilityDomain").to_owned();
    let faults: Vec<&str> = texts(place, "faultDomains").collect();
    if let Some(fault) = number.checked_rem(faults.len()).and_then(|index| faults.get(index)) {
        fields.insert("faultDomain".to_owned(), (*fault).into());
    }
    let vnic = fields.entry("createVnicDetails").or_insert_with(|| json!({}));
    if let Some(vnic) = vnic.as_object_mut() {
        vnic.insert("subnetId".to_owned(), subnet(place).into());
    }
    fields.insert("availabilityDomain".to_owned(), of_place.into());
    fields.insert(
        "displayName".to_owned(),
        format!("inst-{number}-{}", pool.text("displayName")).into(),
    );
    let compartment = pool.compartment().to_owned();
    fields.entry("compartmentId").or_insert_with(|| compartment.into());
    (INSTANCE.prepare)(state, call, &mut fields)?;
    let instance = generic::beget(state, call, &INSTANCE, fields);
    (INSTANCE.born)(state, call, &instance);
    state.amend(&instance, |instance| {
        instance.extra_mut().insert(POOL.to_owned(), id.into());
        instance
            .extra_mut()
            .insert(CONFIGURATION.to_owned(), configuration.into());
    });
    Ok(())
}

fn dies(state: &mut State, call: &Call, pool: &Record) {
    let ids: Vec<String> = instances(state, &pool.id)
        .iter()
        .map(|instance| instance.id.clone())
        .collect();
    for id in ids {
        generic::end(state, call, &id);
    }
}

/// `RUNNING` as pools spell it: `Running`.
fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_string() + &letters.as_str().to_ascii_lowercase()
    })
}

fn members(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let pool = state.get(call, &INSTANCE_POOL, call.param(0))?;
    let found = instances(state, &pool.id)
        .into_iter()
        .filter(|instance| !instance.gone());
    let found = found.map(|instance| {
        let shown = [
            "availabilityDomain",
            "compartmentId",
            "displayName",
            "faultDomain",
            "region",
            "shape",
            "timeCreated",
        ];
        let mut member: Body = shown
            .into_iter()
            .filter_map(|field| Some((field.to_owned(), instance.body().get(field)?.clone())))
            .collect();
        member.insert("id".to_owned(), instance.id.as_str().into());
        member.insert("state".to_owned(), capitalised(instance.state()).into());
        let configuration = instance.extra().get(CONFIGURATION).cloned().unwrap_or_default();
        member.insert(CONFIGURATION.to_owned(), configuration);
        Value::Object(member)
    });
    let found: Vec<Value> = found.collect();
    list::values(call, found)
}
