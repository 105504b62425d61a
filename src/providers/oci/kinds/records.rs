//! Sets of records in a DNS zone.
//!
//! A record has no room for a mark: it stands in a TXT record beside the set, at a name that nobody asks for otherwise. It is
//! written before the set and deleted after it.

use http::Method;
use serde_json::{Map, Value, json};

use super::super::api::{Place, Service};
use super::super::calls::{change, get};
use super::super::document::Document;
use super::super::error::OciError;
use super::super::failure::{chain, failed, refused};
use super::super::parts::{others_mark, read_mark, text_mark};
use super::super::provider::OciProvider;
use super::super::write::Wanted;
use super::encode;
use crate::providers::{LiveObject, Observed, ProviderError};
use crate::resource::{OwnerMark, ResourceId};

/// Seconds that a mark may be cached: nobody asks for it.
const MARK_TTL: u32 = 3600;

/// One set: a zone, a name in it, a type.
struct Set {
    zone: String,
    domain: String,
    rtype: String,
    /// Of a private zone.
    view: Option<String>,
}

impl Set {
    fn of(spec: &Map<String, Value>) -> Option<Self> {
        let text = |key: &str| spec.get(key)?.as_str().map(str::to_owned);
        Some(Self {
            zone: text("zoneNameOrId")?,
            domain: text("domain")?,
            rtype: text("rtype")?,
            view: text("viewId"),
        })
    }

    /// What a record has in place of an OCID: where it is.
    fn uid(&self) -> String {
        json!([self.zone, self.domain, self.rtype, self.view]).to_string()
    }

    fn parse(uid: &str) -> Option<Self> {
        let (zone, domain, rtype, view) = serde_json::from_str(uid).ok()?;
        Some(Self {
            zone,
            domain,
            rtype,
            view,
        })
    }

    /// The set that holds the mark of this one.
    fn mark(&self) -> Self {
        Self {
            zone: self.zone.clone(),
            domain: format!("_fleetwright-{}.{}", self.rtype.to_ascii_lowercase(), self.domain),
            rtype: "TXT".to_owned(),
            view: self.view.clone(),
        }
    }

    fn path(&self) -> String {
        format!(
            "/zones/{}/records/{}/{}",
            encode(&self.zone),
            encode(&self.domain),
            encode(&self.rtype)
        )
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        self.view
            .iter()
            .flat_map(|view| [("scope", "PRIVATE".to_owned()), ("viewId", view.clone())])
            .collect()
    }
}

/// The records of a set; none where there are none. That the zone can't be seen is an error.
async fn records(provider: &OciProvider, place: &Place, set: &Set) -> Result<Vec<Value>, OciError> {
    let path = format!("/zones/{}/records", encode(&set.zone));
    let mut call = get(Service::Dns, place, "GetZoneRecords", path);
    call.query = set.query();
    call.query.push(("domain", set.domain.clone()));
    call.query.push(("rtype", set.rtype.clone()));
    let same = |record: &Value, key: &str, wanted: &str| {
        let found = record.get(key).and_then(Value::as_str).unwrap_or(wanted);
        found
            .trim_end_matches('.')
            .eq_ignore_ascii_case(wanted.trim_end_matches('.'))
    };
    let mut found = provider.client.list(call).await?;
    found.retain(|record| same(record, "domain", &set.domain) && same(record, "rtype", &set.rtype));
    Ok(found)
}

/// Our mark, or that of another fleet.
async fn marked(
    provider: &OciProvider,
    place: &Place,
    set: &Set,
    id: &ResourceId,
) -> Result<Option<OwnerMark>, OciError> {
    let marks = records(provider, place, &set.mark()).await?;
    let texts = || {
        marks
            .iter()
            .filter_map(|record| Some(record.get("rdata")?.as_str()?.trim_matches('"')))
    };
    let ours = texts().find_map(|text| read_mark(text, &provider.fleet, id));
    Ok(ours.or_else(|| texts().find_map(|text| others_mark(text, &provider.fleet, id))))
}

async fn owner(
    provider: &OciProvider,
    place: &Place,
    set: &Set,
    id: &ResourceId,
) -> Result<Option<OwnerMark>, OciError> {
    let mark = marked(provider, place, set, id).await?;
    Ok(mark.filter(|mark| mark.fleet == provider.fleet))
}

fn document(id: &ResourceId, place: &Place, set: &Set, mark: Option<OwnerMark>, items: Vec<Value>) -> LiveObject {
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
    spec.insert("items".to_owned(), items.into());
    let mut status = Map::new();
    status.insert("id".to_owned(), set.uid().into());
    Document { id, mark, spec, status }.into_live(&set.uid(), None)
}

/// What is there of it.
pub(in super::super) async fn read(
    provider: &OciProvider,
    id: &ResourceId,
    place: &Place,
    spec: Option<&Value>,
    uid: Option<&str>,
) -> Observed {
    let named = spec.and_then(Value::as_object).and_then(Set::of);
    let Some(set) = uid.and_then(Set::parse).or(named) else {
        return Observed::Absent;
    };
    let items = match records(provider, place, &set).await {
        Ok(items) => items,
        Err(error) => return Observed::Unknown(chain(&error)),
    };
    if items.is_empty() {
        return Observed::Absent;
    }
    match marked(provider, place, &set, id).await {
        Ok(mark) => Observed::Present(document(id, place, &set, mark, items)),
        Err(error) => Observed::Unknown(chain(&error)),
    }
}

/// Writes the mark, then the set.
pub(in super::super) async fn write(
    provider: &OciProvider,
    wanted: &Wanted<'_>,
    uid: Option<&str>,
) -> Result<LiveObject, ProviderError> {
    let Wanted {
        id, place, spec, mark, ..
    } = wanted;
    let set = Set::of(spec).ok_or_else(|| refused(id, "zone, domain or type is missing"))?;
    if uid.is_some_and(|uid| uid != set.uid()) {
        return Err(refused(id, "its zone, domain and type can't be changed in place"));
    }
    let read = |error| failed("read", id, error);
    if uid.is_none() && !records(provider, place, &set).await.map_err(read)?.is_empty() {
        let owner = owner(provider, place, &set, id).await.map_err(read)?;
        // What carries our mark was made by an earlier run whose answer was lost.
        if owner.is_none() {
            return Err(ProviderError::Exists(Box::new((*id).clone())));
        }
    }
    let text = text_mark(&provider.fleet, id, &mark.unit);
    let marking = set.mark();
    let rdata = format!("\"{text}\"");
    let item = json!({"domain": marking.domain, "rtype": "TXT", "ttl": MARK_TTL, "rdata": rdata});
    put(provider, id, place, &marking, json!([item])).await?;
    let items: Vec<Value> = spec
        .get("items")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|item| {
            let mut item = item.clone();
            if let Some(item) = item.as_object_mut() {
                item.entry("domain").or_insert_with(|| set.domain.as_str().into());
                item.entry("rtype").or_insert_with(|| set.rtype.as_str().into());
            }
            item
        })
        .collect();
    put(provider, id, place, &set, items.into()).await?;
    let items = records(provider, place, &set).await.map_err(read)?;
    Ok(document(id, place, &set, Some(mark.clone()), items))
}

async fn put(
    provider: &OciProvider,
    id: &ResourceId,
    place: &Place,
    set: &Set,
    items: Value,
) -> Result<(), ProviderError> {
    let body = Some(json!({"items": items}));
    let mut call = change(Service::Dns, place, "UpdateRRSet", Method::PUT, set.path(), body);
    call.query = set.query();
    let answer = provider.client.call(call).await;
    answer.map(drop).map_err(|error| failed("write", id, error))
}

/// Deletes the set, then its mark.
pub(in super::super) async fn delete(
    provider: &OciProvider,
    id: &ResourceId,
    place: &Place,
    uid: &str,
) -> Result<(), ProviderError> {
    let set = Set::parse(uid).ok_or_else(|| refused(id, "what was recorded of it is no set of records"))?;
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
        let mut call = change(Service::Dns, place, "DeleteRRSet", Method::DELETE, set.path(), None);
        call.query = set.query();
        match provider.client.call(call).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(failed("delete", id, error)),
        }
    }
    Ok(())
}
