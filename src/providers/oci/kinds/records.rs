//! Sets of records in a DNS zone.
//!
//! A record has no room for a mark: it stands in a TXT record beside the set, at a name that nobody asks for otherwise. It is
//! written before the set and deleted after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};

use super::super::api::{Place, Service};
use super::super::calls::{change, get};
use super::super::document::Document;
use super::super::error::OciError;
use super::super::failure::{failed, refused};
use super::super::parts::{others_mark, read_mark, text_mark};
use super::super::provider::OciProvider;
use super::super::write::Wanted;
use super::encode;
use crate::providers::{LiveObject, Observed, ProviderError};
use crate::report::chain;
use crate::resource::oci::RecordSet;
use crate::resource::{Digest, OwnerMark, ResourceId};

/// Seconds that a mark may be cached: nobody asks for it.
const MARK_TTL: u32 = 3600;

fn path(set: &RecordSet) -> String {
    let [zone, domain, rtype] = [&set.zone, &set.domain, &set.rtype].map(|part| encode(part));
    format!("/zones/{zone}/records/{domain}/{rtype}")
}

fn query(set: &RecordSet) -> Vec<(&'static str, String)> {
    set.view
        .iter()
        .flat_map(|view| [("scope", "PRIVATE".to_owned()), ("viewId", view.clone())])
        .collect()
}

/// What a set holds, in short: it is changed only where it is as it was seen, since lists give no etags.
fn version(items: &[Value]) -> String {
    let part = |record: &Value| {
        let parts = ["rdata", "ttl"].map(|key| record.get(key).map(Value::to_string).unwrap_or_default());
        parts.join(" ")
    };
    let mut parts: Vec<String> = items.iter().map(part).collect();
    parts.sort_unstable();
    Digest::of_parts(parts.iter().map(|part| part.as_bytes())).to_hex()
}

/// Sets of a zone that are asked for one by one: for more, the whole zone is read once. A zone may be large, and hold little of
/// ours.
const FEW: usize = 2;

/// Zones as they were read for one observation.
#[derive(Default)]
pub(in super::super) struct Zones(tokio::sync::Mutex<BTreeMap<ZoneKey, Asked>>);

/// Where it is, its name or OCID, and its view.
type ZoneKey = (Place, String, Option<String>);

/// Records by domain and type, both normalised.
type Zone = BTreeMap<(String, String), Vec<Value>>;

#[derive(Default)]
struct Asked {
    sets: usize,
    /// Why it can't be read, where it can't.
    whole: Option<Result<Arc<Zone>, String>>,
}

impl Zones {
    /// A set and its mark; or why they can't be read.
    async fn get(
        &self,
        provider: &OciProvider,
        place: &Place,
        set: &RecordSet,
    ) -> Result<(Vec<Value>, Vec<Value>), String> {
        let key = (place.clone(), set.zone.clone(), set.view.clone());
        // Held while the zone is read, so that it is read once.
        let mut zones = self.0.lock().await;
        let asked = zones.entry(key).or_default();
        asked.sets += 1;
        if asked.whole.is_none() && asked.sets > FEW {
            let read = zone(provider, place, set).await;
            asked.whole = Some(read.map(Arc::new).map_err(|error| chain(&error)));
        }
        let whole = asked.whole.clone();
        drop(zones);
        let mark = set.mark();
        if let Some(zone) = whole.transpose()? {
            let of = |set: &RecordSet| {
                zone.get(&normal((&set.domain, &set.rtype)))
                    .cloned()
                    .unwrap_or_default()
            };
            return Ok((of(set), of(&mark)));
        }
        let read = async |set: &RecordSet| records(provider, place, set).await.map_err(|error| chain(&error));
        Ok((read(set).await?, read(&mark).await?))
    }
}

/// All that the zone of a set holds.
async fn zone(provider: &OciProvider, place: &Place, set: &RecordSet) -> Result<Zone, OciError> {
    let mut zone = Zone::new();
    for record in list(provider, place, set, &[]).await? {
        let part = |part: &str| record.get(part).and_then(Value::as_str).unwrap_or_default();
        zone.entry(normal((part("domain"), part("rtype"))))
            .or_default()
            .push(record);
    }
    Ok(zone)
}

/// Without the dot at a domain's end, and in one case.
fn normal((domain, rtype): (&str, &str)) -> (String, String) {
    (
        domain.trim_end_matches('.').to_ascii_lowercase(),
        rtype.to_ascii_uppercase(),
    )
}

/// The records of a set's zone to which a filter applies.
async fn list(
    provider: &OciProvider,
    place: &Place,
    set: &RecordSet,
    filter: &[(&'static str, &str)],
) -> Result<Vec<Value>, OciError> {
    let path = format!("/zones/{}/records", encode(&set.zone));
    let mut call = get(Service::Dns, place, "GetZoneRecords", path);
    call.query = query(set);
    call.query
        .extend(filter.iter().map(|(key, value)| (*key, (*value).to_owned())));
    // A set is a few records; a zone, those of a whole fleet.
    if filter.is_empty() {
        provider.list_by_long_pages(call, std::convert::identity).await
    } else {
        provider.client.list(call).await
    }
}

/// The records of a set; none where there are none. That the zone can't be seen is an error.
async fn records(provider: &OciProvider, place: &Place, set: &RecordSet) -> Result<Vec<Value>, OciError> {
    let wanted = normal((&set.domain, &set.rtype));
    let mut found = list(provider, place, set, &[("domain", &set.domain), ("rtype", &set.rtype)]).await?;
    found.retain(|record| {
        let part = |key: &str, wanted: &str| record.get(key).and_then(Value::as_str).unwrap_or(wanted).to_owned();
        normal((&part("domain", &set.domain), &part("rtype", &set.rtype))) == wanted
    });
    Ok(found)
}

/// Our mark, or that of another fleet, among the records beside a set.
fn marked(provider: &OciProvider, id: &ResourceId, marks: &[Value]) -> Option<OwnerMark> {
    let texts = || marks.iter().filter_map(unquoted);
    let ours = texts().find_map(|text| read_mark(text, &provider.fleet, id));
    ours.or_else(|| texts().find_map(|text| others_mark(text, &provider.fleet, id)))
}

async fn owner(
    provider: &OciProvider,
    place: &Place,
    set: &RecordSet,
    id: &ResourceId,
) -> Result<Option<OwnerMark>, OciError> {
    let mark = marked(provider, id, &records(provider, place, &set.mark()).await?);
    Ok(mark.filter(|mark| mark.fleet == provider.fleet))
}

fn document(id: &ResourceId, place: &Place, set: &RecordSet, mark: Option<OwnerMark>, items: Vec<Value>) -> LiveObject {
    let mut spec = Map::new();
    let texts = [
        ("region", Some(&place.region)),
        ("tenancy", place.tenancy.as_ref()),
        ("zoneNameOrId", Some(&set.zone)),
        ("domain", Some(&set.domain)),
        ("rtype", Some(&set.rtype)),
        ("viewId", set.view.as_ref()),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            spec.insert(key.to_owned(), text.as_str().into());
        }
    }
    let seen = version(&items);
    spec.insert("items".to_owned(), items.into());
    let mut status = Map::new();
    status.insert("id".to_owned(), set.uid().into());
    Document { id, mark, spec, status }.into_live(&set.uid(), Some(&seen))
}

/// What is there of it.
pub(in super::super) async fn read(
    provider: &OciProvider,
    id: &ResourceId,
    place: &Place,
    (spec, uid): (Option<&Value>, Option<&str>),
    zones: &Zones,
) -> Observed {
    let named = spec.and_then(Value::as_object).and_then(RecordSet::of);
    let Some(set) = uid.and_then(RecordSet::parse).or(named) else {
        return Observed::Absent;
    };
    let (items, marks) = match zones.get(provider, place, &set).await {
        Ok(read) => read,
        Err(reason) => return Observed::Unknown(reason),
    };
    let mark = marked(provider, id, &marks);
    // The mark of ours stands before the set does, and after it.
    if items.is_empty() && mark.as_ref().is_none_or(|mark| mark.fleet != provider.fleet) {
        return Observed::Absent;
    }
    Observed::Present(document(id, place, &set, mark, items))
}

/// Writes the mark, then the set, where that is as it was seen.
pub(in super::super) async fn write(
    provider: &OciProvider,
    wanted: &Wanted<'_>,
    (uid, seen): (Option<&str>, Option<&str>),
) -> Result<LiveObject, ProviderError> {
    let Wanted {
        id, place, spec, mark, ..
    } = wanted;
    let set = RecordSet::of(spec).ok_or_else(|| refused(id, "zone, domain or type is missing"))?;
    if uid.is_some_and(|uid| uid != set.uid()) {
        return Err(refused(id, "its zone, domain and type can't be changed in place"));
    }
    let read = |error| failed("read", id, error);
    let there = records(provider, place, &set).await.map_err(read)?;
    if uid.is_none() && !there.is_empty() {
        let owner = owner(provider, place, &set, id).await.map_err(read)?;
        // What carries our mark was made by an earlier run whose answer was lost.
        if owner.is_none() {
            return Err(ProviderError::Exists(Box::new((*id).clone())));
        }
    }
    let seen = seen
        .filter(|seen| !seen.is_empty())
        .map_or_else(|| version(&there), str::to_owned);
    let stale = || ProviderError::Stale(Box::new((*id).clone()));
    if version(&there) != seen {
        return Err(stale());
    }
    write_mark(provider, wanted, &set.mark()).await?;
    let items = items(spec, &set);
    for _ in 0..ATTEMPTS {
        let _turn = provider.turn(&set.zone).await;
        let etag = etag(provider, place, &set).await.map_err(read)?;
        if version(&records(provider, place, &set).await.map_err(read)?) != seen {
            return Err(stale());
        }
        match put(provider, place, &set, &items, etag).await {
            Ok(()) => {
                let items = records(provider, place, &set).await.map_err(read)?;
                return Ok(document(id, place, &set, Some(mark.clone()), items));
            }
            // An etag may be that of the whole zone.
            Err(error) if error.is_stale() => {}
            Err(error) => return Err(failed("write", id, error)),
        }
    }
    Err(stale())
}

/// Writes our mark beside the set, unless it stands there; over nothing that is not ours.
async fn write_mark(provider: &OciProvider, wanted: &Wanted<'_>, marking: &RecordSet) -> Result<(), ProviderError> {
    let Wanted { id, place, mark, .. } = wanted;
    let read = |error| failed("read", id, error);
    let text = text_mark(&provider.fleet, id, &mark.unit);
    for _ in 0..ATTEMPTS {
        let _turn = provider.turn(&marking.zone).await;
        let etag = etag(provider, place, marking).await.map_err(read)?;
        let there = records(provider, place, marking).await.map_err(read)?;
        let mut texts = there.iter().map(|record| unquoted(record).unwrap_or_default());
        if let Some(others) = texts.find(|text| read_mark(text, &provider.fleet, id).is_none()) {
            let why = format!("{} holds `{others}`, which is not ours", marking.domain);
            return Err(refused(id, why));
        }
        if there.len() == 1 && there.first().and_then(unquoted) == Some(text.as_str()) {
            return Ok(());
        }
        let item = json!({"domain": marking.domain, "rtype": "TXT", "ttl": MARK_TTL, "rdata": format!("\"{text}\"")});
        match put(provider, place, marking, &json!([item]), etag).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_stale() => {}
            Err(error) => return Err(failed("write", id, error)),
        }
    }
    Err(ProviderError::Stale(Box::new((*id).clone())))
}

fn unquoted(record: &Value) -> Option<&str> {
    Some(record.get("rdata")?.as_str()?.trim_matches('"'))
}

/// Writes of one set, where something else of its zone changes meanwhile.
const ATTEMPTS: usize = 5;

fn items(spec: &Map<String, Value>, set: &RecordSet) -> Value {
    let items = spec.get("items").and_then(Value::as_array);
    let items = items.into_iter().flatten().map(|item| {
        let mut item = item.clone();
        if let Some(item) = item.as_object_mut() {
            item.entry("domain").or_insert_with(|| set.domain.as_str().into());
            item.entry("rtype").or_insert_with(|| set.rtype.as_str().into());
        }
        item
    });
    items.collect()
}

/// The etag of what is there; none where nothing is.
async fn etag(provider: &OciProvider, place: &Place, set: &RecordSet) -> Result<Option<String>, OciError> {
    let mut call = get(Service::Dns, place, "GetRRSet", path(set));
    call.query = query(set);
    match provider.client.call(call).await {
        Ok(answer) => Ok(answer.etag),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn put(
    provider: &OciProvider,
    place: &Place,
    set: &RecordSet,
    items: &Value,
    etag: Option<String>,
) -> Result<(), OciError> {
    let body = Some(json!({"items": items}));
    let mut call = change(Service::Dns, place, "UpdateRRSet", Method::PUT, path(set), body);
    call.query = query(set);
    call.if_match = etag;
    provider.client.call(call).await.map(drop)
}

/// Deletes the set, then its mark.
pub(in super::super) async fn delete(
    provider: &OciProvider,
    id: &ResourceId,
    place: &Place,
    uid: &str,
) -> Result<(), ProviderError> {
    let set = RecordSet::parse(uid).ok_or_else(|| refused(id, "what was recorded of it is no set of records"))?;
    let owner = owner(provider, place, &set, id).await;
    if owner.map_err(|error| failed("read", id, error))?.is_none() {
        let left = records(provider, place, &set).await;
        return match left {
            Ok(left) if left.is_empty() => Ok(()),
            Ok(_) => Err(refused(id, "the records carry no mark of ours")),
            Err(error) => Err(failed("read", id, error)),
        };
    }
    for set in [&set, &set.mark()] {
        remove(provider, id, place, set).await?;
    }
    Ok(())
}

/// Deletes one set, as it stands: what somebody puts there meanwhile is looked at again.
async fn remove(provider: &OciProvider, id: &ResourceId, place: &Place, set: &RecordSet) -> Result<(), ProviderError> {
    for _ in 0..ATTEMPTS {
        let _turn = provider.turn(&set.zone).await;
        let mut look = get(Service::Dns, place, "GetRRSet", path(set));
        look.query = query(set);
        let mut call = change(Service::Dns, place, "DeleteRRSet", Method::DELETE, path(set), None);
        call.query = query(set);
        call.if_match = match provider.client.call(look).await {
            Ok(answer) => answer.etag,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(failed("read", id, error)),
        };
        match provider.client.call(call).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) if error.is_stale() => {}
            Err(error) => return Err(failed("delete", id, error)),
        }
    }
    Err(ProviderError::Stale(Box::new(id.clone())))
}
