//! Our own rules in a route table of somebody else.
//!
//! Each carries our mark in its description. The table is read, our rules in it exchanged, and the whole put back as of the
//! etag that was read: whoever else changes it in between makes us read again, and loses nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};

use super::super::api::{Place, Service};
use super::super::calls::{change, get};
use super::super::document::Document;
use super::super::error::OciError;
use super::super::failure::{failed, refused};
use super::super::parts::{WORD, others_mark, read_mark, text_mark};
use super::super::provider::OciProvider;
use super::super::write::Wanted;
use super::encode;
use crate::providers::{LiveObject, Observed, ProviderError};
use crate::report::chain;
use crate::resource::oci::{Item, normal_item};
use crate::resource::{OwnerMark, ResourceId};

/// Tries, where others change the table at the same time.
const TRIES: usize = 8;
/// OCI's limit for a description.
const DESCRIPTION: usize = 255;

/// A route table as it was read.
struct Table {
    rules: Vec<Value>,
    etag: Option<String>,
}

/// Tables read for one observation: each once, however many have rules in it.
#[derive(Default)]
pub(in super::super) struct Tables(tokio::sync::Mutex<BTreeMap<(Place, String), Arc<Table>>>);

impl Tables {
    async fn get(&self, provider: &OciProvider, place: &Place, ocid: &str) -> Result<Arc<Table>, OciError> {
        let key = (place.clone(), ocid.to_owned());
        let mut tables = self.0.lock().await;
        if let Some(read) = tables.get(&key) {
            return Ok(read.clone());
        }
        let read = Arc::new(table(provider, place, ocid).await?);
        tables.insert(key, read.clone());
        Ok(read)
    }
}

async fn table(provider: &OciProvider, place: &Place, ocid: &str) -> Result<Table, OciError> {
    let path = format!("/routeTables/{}", encode(ocid));
    let answer = provider
        .client
        .call(get(Service::Core, place, "GetRouteTable", path))
        .await?;
    let rules = answer.body.get("routeRules").and_then(Value::as_array).cloned();
    Ok(Table {
        rules: rules
            .unwrap_or_default()
            .into_iter()
            .filter(|rule| rule.get("routeType").and_then(Value::as_str) != Some("LOCAL"))
            .collect(),
        etag: answer.etag,
    })
}

/// A rule's description, and our mark at its end.
fn split(rule: &Value) -> Option<(&str, &str)> {
    let description = rule.get("description")?.as_str()?;
    let inner = description.strip_suffix(')')?;
    let (text, mark) = inner.rsplit_once('(')?;
    mark.starts_with(WORD).then(|| (text.trim_end(), mark))
}

fn mark_of(provider: &OciProvider, id: &ResourceId, rule: &Value) -> Option<OwnerMark> {
    read_mark(split(rule)?.1, &provider.fleet, id)
}

/// A rule with our mark.
fn marked(rule: &Value, mark: &str) -> Value {
    let mut rule = normal_item(Item::RouteRule, rule);
    let text = rule.get("description").and_then(Value::as_str).unwrap_or_default();
    let room = DESCRIPTION.saturating_sub(mark.chars().count() + 3);
    let text: String = text.chars().take(room).collect();
    let space = if text.is_empty() { "" } else { " " };
    let description = format!("{text}{space}({mark})");
    rule["description"] = description.into();
    rule
}

/// A rule as its document has it.
fn unmarked(rule: &Value) -> Value {
    let text = split(rule).map(|(text, _)| text.to_owned());
    let mut rule = normal_item(Item::RouteRule, rule);
    if let (Some(text), Some(map)) = (text, rule.as_object_mut()) {
        if text.is_empty() {
            map.remove("description");
        } else {
            map.insert("description".to_owned(), text.into());
        }
    }
    rule
}

fn same_destination(a: &Value, b: &Value) -> bool {
    let (a, b) = (normal_item(Item::RouteRule, a), normal_item(Item::RouteRule, b));
    a["destination"] == b["destination"] && a["destinationType"] == b["destinationType"]
}

fn rules_of(spec: &Map<String, Value>) -> Vec<Value> {
    spec.get("routeRules")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

fn document(
    id: &ResourceId,
    place: &Place,
    ocid: &str,
    mark: Option<OwnerMark>,
    rules: Vec<Value>,
    etag: Option<&str>,
) -> LiveObject {
    let mut spec = Map::new();
    spec.insert("region".to_owned(), place.region.as_str().into());
    if let Some(tenancy) = &place.tenancy {
        spec.insert("tenancy".to_owned(), tenancy.as_str().into());
    }
    spec.insert("routeTableId".to_owned(), ocid.into());
    spec.insert("routeRules".to_owned(), rules.into());
    let mut status = Map::new();
    status.insert("id".to_owned(), ocid.into());
    Document { id, mark, spec, status }.into_live(ocid, etag)
}

/// What is there of it: rules with our mark, or else rules of others that go where ours would.
pub(in super::super) async fn read(
    provider: &OciProvider,
    id: &ResourceId,
    place: &Place,
    spec: Option<&Value>,
    uid: Option<&str>,
    tables: &Tables,
) -> Observed {
    let named = spec.and_then(|spec| spec.get("routeTableId")?.as_str());
    let found;
    let ocid = match uid.or(named) {
        Some(ocid) => ocid,
        // Recorded before they were made, and not known to have been made: whoever was at it may have got that far.
        None => match holder(provider, id, place).await {
            Ok(Some(ocid)) => {
                found = ocid;
                &found
            }
            Ok(None) => return Observed::Absent,
            Err(error) => return Observed::Unknown(chain(&error)),
        },
    };
    let table = match tables.get(provider, place, ocid).await {
        Ok(table) => table,
        // The table is somebody else's: there is no list of ours that could prove it gone.
        Err(error) => return Observed::Unknown(chain(&error)),
    };
    let etag = table.etag.as_deref();
    let ours: Vec<&Value> = table
        .rules
        .iter()
        .filter(|rule| mark_of(provider, id, rule).is_some())
        .collect();
    if let Some(mark) = ours.first().and_then(|rule| mark_of(provider, id, rule)) {
        let rules = ours.into_iter().map(unmarked).collect();
        return Observed::Present(document(id, place, ocid, Some(mark), rules, etag));
    }
    let wanted = spec.and_then(Value::as_object).map(rules_of).unwrap_or_default();
    let in_the_way: Vec<Value> = table
        .rules
        .iter()
        .filter(|rule| wanted.iter().any(|wanted| same_destination(wanted, rule)))
        .cloned()
        .collect();
    if in_the_way.is_empty() {
        return Observed::Absent;
    }
    let mut marks = in_the_way.iter().filter_map(split);
    let others = marks.find_map(|(_, text)| others_mark(text, &provider.fleet, id));
    Observed::Present(document(id, place, ocid, others, in_the_way, etag))
}

/// The table, among those of the compartment that is recorded, that holds rules with our mark.
async fn holder(provider: &OciProvider, id: &ResourceId, place: &Place) -> Result<Option<String>, OciError> {
    let (Some(known), Some(route)) = (provider.known(id), super::route("RouteTable")) else {
        return Ok(None);
    };
    let tables = provider.list(route, place, &known.compartment).await?;
    let holds = |shown: &Value| {
        let rules = shown.get("routeRules").and_then(Value::as_array);
        let mut rules = rules.into_iter().flatten();
        rules.any(|rule| mark_of(provider, id, rule).is_some())
    };
    Ok(tables
        .into_iter()
        .find(|table| holds(&table.shown))
        .map(|table| table.ocid))
}

/// Exchanges our rules for those that are wanted. With an OCID that was read, rules of others that go to the same
/// destinations are taken over; that this may be was decided before.
pub(in super::super) async fn write(
    provider: &OciProvider,
    wanted: &Wanted<'_>,
    uid: Option<&str>,
) -> Result<LiveObject, ProviderError> {
    let Wanted {
        id, place, spec, mark, ..
    } = wanted;
    let ocid = spec
        .get("routeTableId")
        .and_then(Value::as_str)
        .ok_or_else(|| refused(id, "`routeTableId` is missing"))?;
    if uid.is_some_and(|uid| uid != ocid) {
        return Err(refused(id, "`.spec.routeTableId` can't be changed in place"));
    }
    let text = text_mark(&provider.fleet, id, &mark.unit);
    let ours: Vec<Value> = rules_of(spec).iter().map(|rule| marked(rule, &text)).collect();
    let etag = exchange(provider, id, place, ocid, |rules| {
        let mut kept = Vec::new();
        for rule in rules {
            let here = ours.iter().any(|ours| same_destination(ours, &rule));
            if mark_of(provider, id, &rule).is_some() || (here && uid.is_some()) {
                continue;
            }
            if here {
                return Err(ProviderError::Exists(Box::new((*id).clone())));
            }
            kept.push(rule);
        }
        kept.extend(ours.iter().cloned());
        Ok(kept)
    })
    .await?;
    Ok(document(
        id,
        place,
        ocid,
        Some(mark.clone()),
        rules_of(spec),
        etag.as_deref(),
    ))
}

/// Takes our rules out.
pub(in super::super) async fn delete(
    provider: &OciProvider,
    id: &ResourceId,
    place: &Place,
    ocid: &str,
) -> Result<(), ProviderError> {
    exchange(provider, id, place, ocid, |rules| {
        Ok(rules
            .into_iter()
            .filter(|rule| mark_of(provider, id, rule).is_none())
            .collect())
    })
    .await
    .map(drop)
}

async fn exchange(
    provider: &OciProvider,
    id: &ResourceId,
    place: &Place,
    ocid: &str,
    exchanged: impl Fn(Vec<Value>) -> Result<Vec<Value>, ProviderError>,
) -> Result<Option<String>, ProviderError> {
    for _ in 0..TRIES {
        let read = table(provider, place, ocid).await;
        let Table { rules, etag } = read.map_err(|error| failed("read the route table of", id, error))?;
        let next = exchanged(rules.clone())?;
        if next == rules {
            return Ok(etag);
        }
        let path = format!("/routeTables/{}", encode(ocid));
        let body = json!({"routeRules": next});
        let fresh = provider.names_fresh(&body);
        let mut call = change(Service::Core, place, "UpdateRouteTable", Method::PUT, path, Some(body));
        call.if_match = etag;
        let sent = if fresh {
            provider.client.call_fresh(call).await
        } else {
            provider.client.call(call).await
        };
        match sent {
            Ok(answer) => return Ok(answer.etag),
            Err(error) if error.is_stale() => {}
            Err(error) => return Err(failed("update the route table of", id, error)),
        }
    }
    Err(ProviderError::Stale(Box::new(id.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::reference::oci_id;
    use crate::resource::{ClusterName, FleetUid, UnitId};

    #[test]
    fn a_mark_in_a_description_names_fleet_and_resource() {
        let (fleet, id) = (FleetUid::new("f"), oci_id("RouteTableRules", "a"));
        let unit = UnitId::Cluster(ClusterName::new("payments"));
        let text = text_mark(&fleet, &id, &unit);
        let wanted =
            json!({"destination": "10.0.0.0/16", "networkEntityId": "g", "description": "to (hosted) payments"});
        let rule = marked(&wanted, &text);
        assert_eq!(unmarked(&rule), normal_item(Item::RouteRule, &wanted));
        let read = |fleet: &str, id: &ResourceId| read_mark(split(&rule).unwrap().1, &FleetUid::new(fleet), id);
        assert_eq!(read("f", &id), Some(OwnerMark::for_object(&fleet, &unit, &id)));
        assert_eq!(read("g", &id), None);
        assert_eq!(read("f", &oci_id("RouteTableRules", "b")), None);
        assert_eq!(split(&wanted), None);
        let bare = json!({"destination": "10.0.0.0/16", "networkEntityId": "g"});
        assert_eq!(unmarked(&marked(&bare, &text)), normal_item(Item::RouteRule, &bare));
        let long = json!({"description": "x".repeat(300)});
        assert_eq!(
            marked(&long, &text)["description"].as_str().unwrap().chars().count(),
            DESCRIPTION
        );
    }
}
