//! DNS: zones and their records.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::call::{Call, Reply, body, objects, text};
use super::generic;
use super::kind::{Kind, Life};
use super::list;
use super::models::{self, Body};
use super::refusal::Refusal;
use super::route::{Route, routes};
use super::state::{Record, State};

pub(super) static ZONE: Kind = Kind {
    name: "Zone",
    ocid: "dns-zone",
    life: Life {
        making: "CREATING",
        ready: "ACTIVE",
        unmaking: "DELETING",
        gone: "DELETED",
        makes: 1,
        unmakes: 1,
    },
    create: "CreateZoneDetails",
    update: "UpdateZoneDetails",
    filters: &["name", "zoneType", "lifecycleState", "scope"],
    alias: by_name,
    global: true,
    prepare,
    born,
    ..Kind::PLAIN
};

/// The operations on records, whose lists are objects with `items`.
static RECORDS: Kind = Kind {
    name: "Zone",
    collection: true,
    alias: by_name,
    ..Kind::PLAIN
};

pub(super) static ROUTES: &[Route] = routes! {
    POST "zones" CreateZone ZONE generic::create;
    GET "zones" ListZones ZONE list::list;
    GET "zones/{}" GetZone ZONE generic::get;
    PUT "zones/{}" UpdateZone ZONE generic::update;
    DELETE "zones/{}" DeleteZone ZONE generic::delete;
    POST "zones/{}/actions/changeCompartment" ChangeZoneCompartment ZONE generic::change_compartment;
    GET "zones/{}/records" GetZoneRecords RECORDS read;
    PUT "zones/{}/records" UpdateZoneRecords RECORDS replace;
    PATCH "zones/{}/records" PatchZoneRecords RECORDS patch;
    GET "zones/{}/records/{}" GetDomainRecords RECORDS read;
    PUT "zones/{}/records/{}" UpdateDomainRecords RECORDS replace;
    PATCH "zones/{}/records/{}" PatchDomainRecords RECORDS patch;
    DELETE "zones/{}/records/{}" DeleteDomainRecords RECORDS delete;
    GET "zones/{}/records/{}/{}" GetRRSet RECORDS read;
    PUT "zones/{}/records/{}/{}" UpdateRRSet RECORDS replace;
    PATCH "zones/{}/records/{}/{}" PatchRRSet RECORDS patch;
    DELETE "zones/{}/records/{}/{}" DeleteRRSet RECORDS delete;
};

const ITEMS: &str = "records";

/// A zone goes by its name too.
fn by_name(state: &State, call: &Call) -> Option<String> {
    let name = normal(call.params.first()?);
    state
        .all(&ZONE)
        .find(|zone| zone.lives() && zone.tenancy == call.principal.tenancy && zone.text("name") == name)
        .map(|zone| zone.id.clone())
}

/// A name in lower case, without the dot at its end.
fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn prepare(state: &mut State, _: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let name = normal(text(fields, "name"));
    if state.all(&ZONE).any(|zone| zone.lives() && zone.text("name") == name) {
        return Err(Refusal::conflict(format!("there is a zone {name} already")));
    }
    fields.insert("name".to_owned(), name.into());
    for (field, default) in [
        ("zoneType", json!("PRIMARY")),
        ("scope", json!("GLOBAL")),
        ("serial", json!(1)),
        ("version", json!("1")),
        ("isProtected", json!(false)),
        ("dnssecState", json!("DISABLED")),
        ("externalMasters", json!([])),
        ("externalDownstreams", json!([])),
        ("zoneTransferServers", json!([])),
        ("nameservers", json!([{"hostname": "ns1.p00.dns.oraclecloud.net."}])),
        ("self", json!("")),
    ] {
        fields.entry(field).or_insert(default);
    }
    if text(fields, "scope") == "PRIVATE" && text(fields, "viewId").is_empty() {
        return Err(Refusal::missing("viewId"));
    }
    Ok(())
}

fn born(state: &mut State, _: &Call, id: &str) {
    state.amend(id, |zone| {
        let name = zone.text("name").to_owned();
        let protected = |rtype: &str, rdata: &str| {
            let fields = body([
                ("domain", name.clone().into()),
                ("rtype", rtype.into()),
                ("rdata", rdata.into()),
                ("ttl", 86_400.into()),
            ]);
            record(fields, true)
        };
        let records = [
            protected("NS", "ns1.p00.dns.oraclecloud.net."),
            protected(
                "SOA",
                "ns1.p00.dns.oraclecloud.net. hostmaster.oracle.com. 1 3600 600 604800 1800",
            ),
        ];
        zone.extra_mut().insert(ITEMS.to_owned(), records.to_vec().into());
    });
}

/// A record with what the server sets.
fn record(mut fields: Body, protected: bool) -> Value {
    let domain = normal(text(&fields, "domain"));
    let rtype = text(&fields, "rtype").to_ascii_uppercase();
    if rtype == "CNAME" {
        let name = format!("{}.", normal(text(&fields, "rdata")));
        fields.insert("rdata".to_owned(), name.into());
    }
    let hash: String = Sha256::digest(format!("{domain} {rtype} {}", text(&fields, "rdata")))
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    fields.extend(body([
        ("domain", domain.into()),
        ("rtype", rtype.into()),
        ("recordHash", hash.into()),
        ("isProtected", protected.into()),
        ("rrsetVersion", "1".into()),
    ]));
    Value::Object(fields)
}

/// The part of a zone that the path and the query name.
struct Part {
    domain: Option<String>,
    rtype: Option<String>,
}

impl Part {
    fn of(call: &Call) -> Self {
        let place = |index: usize, name: &str| {
            let place = call.params.get(index).or_else(|| call.query.get(name));
            place.map(|it| normal(it))
        };
        Self {
            domain: place(1, "domain"),
            rtype: place(2, "rtype").map(|rtype| rtype.to_ascii_uppercase()),
        }
    }

    fn holds(&self, record: &Body) -> bool {
        self.domain
            .as_ref()
            .is_none_or(|domain| normal(text(record, "domain")) == *domain)
            && self.rtype.as_ref().is_none_or(|rtype| text(record, "rtype") == rtype)
    }
}

fn read(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let zone = state.get(call, &ZONE, call.param(0))?;
    shown(zone, call)
}

fn shown(zone: &Record, call: &Call) -> Result<Reply, Refusal> {
    let part = Part::of(call);
    let found = objects(zone.extra(), ITEMS)
        .filter(|record| part.holds(record))
        .cloned()
        .map(Value::Object);
    Ok(Reply {
        etag: Some(zone.etag()),
        resource: Some(zone.id.clone()),
        ..list::values(call, found)?
    })
}

/// Changes the records of a zone, and shows the part that the path names.
fn alter(
    state: &mut State,
    call: &Call,
    change: impl FnOnce(&Part, &mut Vec<Body>) -> Result<(), Refusal>,
) -> Result<Reply, Refusal> {
    let zone = state.get(call, &ZONE, call.param(0))?;
    if call.if_match.as_ref().is_some_and(|etag| *etag != zone.etag()) {
        return Err(Refusal::etag(&zone.id));
    }
    if !zone.lives() {
        return Err(Refusal::state(format!("{} is {}", zone.id, zone.state())));
    }
    let (id, name) = (zone.id.clone(), zone.text("name").to_owned());
    let mut records: Vec<Body> = objects(zone.extra(), ITEMS).cloned().collect();
    change(&Part::of(call), &mut records)?;
    for record in &records {
        let domain = normal(text(record, "domain"));
        if domain != name && !domain.ends_with(&format!(".{name}")) {
            return Err(Refusal::invalid(format!("domain: {domain} is not in the zone {name}")));
        }
    }
    generic::record_write(state, call, &id);
    let records: Vec<Value> = records
        .into_iter()
        .map(|fields| {
            let protected = fields.get("isProtected") == Some(&Value::Bool(true));
            record(fields, protected)
        })
        .collect();
    state.amend(&id, |zone| {
        zone.extra_mut().insert(ITEMS.to_owned(), records.into());
        let serial = zone.body().get("serial").and_then(Value::as_u64).unwrap_or_default() + 1;
        zone.body_mut().insert("serial".to_owned(), serial.into());
        zone.body_mut().insert("version".to_owned(), serial.to_string().into());
    });
    let zone = state.get(call, &ZONE, &id)?;
    shown(zone, call)
}

fn is_protected(record: &Body) -> bool {
    record.get("isProtected") == Some(&Value::Bool(true))
}

fn replace(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut fields = call.body.clone();
    models::check("UpdateRecordsDetails", &mut fields)?;
    alter(state, call, |part, records| {
        let new: Vec<Body> = objects(&fields, "items").cloned().collect();
        if let Some(outside) = new.iter().find(|record| !part.holds(record)) {
            return Err(Refusal::invalid(format!(
                "items: {} is not of this set",
                text(outside, "domain")
            )));
        }
        records.retain(|record| is_protected(record) || !part.holds(record));
        records.extend(new.into_iter().filter(|record| !is_protected(record)));
        Ok(())
    })
}

fn patch(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut fields = call.body.clone();
    models::check("PatchRecordsDetails", &mut fields)?;
    alter(state, call, |part, records| {
        for item in objects(&fields, "items") {
            apply(part, records, item)?;
        }
        Ok(())
    })
}

/// One operation of a patch; without a word it adds.
fn apply(part: &Part, records: &mut Vec<Body>, item: &Body) -> Result<(), Refusal> {
    let mut wanted = item.clone();
    wanted.remove("operation");
    for (field, value) in [("domain", &part.domain), ("rtype", &part.rtype)] {
        if let Some(value) = value {
            wanted.entry(field).or_insert(value.clone().into());
        }
    }
    let alike = |record: &Body| {
        ["domain", "rtype", "rdata", "recordHash"]
            .into_iter()
            .all(|field| text(&wanted, field).is_empty() || normal(text(&wanted, field)) == normal(text(record, field)))
    };
    match text(item, "operation") {
        "REQUIRE" if !records.iter().any(alike) => Err(Refusal::conflict("a required record is not there")),
        "PROHIBIT" if records.iter().any(alike) => Err(Refusal::conflict("a prohibited record is there")),
        "REQUIRE" | "PROHIBIT" => Ok(()),
        "REMOVE" => {
            records.retain(|record| is_protected(record) || !alike(record));
            Ok(())
        }
        _ => {
            let mut added = wanted.clone();
            models::check("RecordDetails", &mut added)?;
            records.retain(|record| !alike(record));
            records.push(added);
            Ok(())
        }
    }
}

fn delete(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    alter(state, call, |part, records| {
        records.retain(|record| is_protected(record) || !part.holds(record));
        Ok(())
    })?;
    Ok(Reply::done(call.param(0)))
}
