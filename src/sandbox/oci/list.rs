//! Lists: filtered, sorted, in pages.
//!
//! Invariant: a page goes on behind the last item of the one before by that item's own key, so that nothing is left out
//! or repeated where other things come or go in between.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::call::{Call, Reply};
use super::refusal::Refusal;
use super::state::{Record, State};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// What a list is sorted by: a name, or nothing, and then the order in which things were made.
type Key = (String, u64);

/// The records of a compartment, or of the parent that the kind's list asks for.
pub(super) fn list(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    records(call, found(state, call)?)
}

/// The records of the call's kind in the compartment that it names, which pass its filters.
pub(super) fn found<'a>(state: &'a State, call: &'a Call) -> Result<impl Iterator<Item = &'a Record>, Refusal> {
    let compartment = call.required("compartmentId")?;
    if !state.open(call, compartment) {
        return Err(Refusal::not_found());
    }
    let filters = Filters::of(call);
    let there = state.likely((call.kind, call.region, compartment), filters.narrowest());
    let ours = there.filter(|record| record.tenancy == call.principal.tenancy);
    Ok(ours.filter(move |record| filters.pass(record)))
}

/// The filters of a query: thousands of records are held against them.
pub(super) struct Filters<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Filters<'a> {
    /// Those that the call's kind has and its query names.
    pub(super) fn of(call: &'a Call) -> Self {
        let named = call.kind.filters.iter();
        let named = named.filter_map(|filter| Some((*filter, call.query.get(*filter)?.as_str())));
        Self(named.collect())
    }

    /// The one that leaves the fewest.
    fn narrowest(&self) -> Option<(&'static str, &'a str)> {
        let is_name = |(filter, _): &&(&'static str, &'a str)| *filter == "displayName";
        let is_ocid = |(_, wanted): &&(&'static str, &'a str)| wanted.starts_with("ocid1.");
        let by_name = self.0.iter().find(is_name);
        by_name.or_else(|| self.0.iter().find(is_ocid)).copied()
    }

    /// Whether a record passes all of them.
    pub(super) fn pass(&self, record: &Record) -> bool {
        self.0.iter().all(|(filter, wanted)| match *filter {
            "displayName" | "lifecycleState" => record.text(filter) == *wanted,
            _ => match record.body().get(*filter) {
                Some(Value::String(text)) => text == wanted,
                Some(Value::Bool(flag)) => wanted.parse() == Ok(*flag),
                Some(_) | None => false,
            },
        })
    }
}

/// A page of records.
pub(super) fn records<'a>(call: &Call, records: impl Iterator<Item = &'a Record>) -> Result<Reply, Refusal> {
    let by_name = call
        .query
        .get("sortBy")
        .is_some_and(|by| by.eq_ignore_ascii_case("displayName") || by.eq_ignore_ascii_case("name"));
    let descending = match call.query.get("sortOrder").map(|order| order.to_ascii_uppercase()) {
        None => !by_name,
        Some(order) => match order.as_str() {
            "ASC" => false,
            "DESC" => true,
            _ => return Err(Refusal::invalid("sortOrder must be ASC or DESC")),
        },
    };
    let keyed = records.map(|record| {
        let name = if by_name { record.text("displayName") } else { "" };
        ((name.to_owned(), record.sequence), record)
    });
    page(call, keyed.collect(), descending, |record| record.view())
}

/// A page of values that are no resources, in their own order.
pub(super) fn values(call: &Call, values: impl IntoIterator<Item = Value>) -> Result<Reply, Refusal> {
    let keyed = values
        .into_iter()
        .zip(0..)
        .map(|(value, index)| ((String::new(), index), value));
    page(call, keyed.collect(), false, Clone::clone)
}

fn page<T>(
    call: &Call,
    mut items: Vec<(Key, T)>,
    descending: bool,
    view: impl Fn(&T) -> Value,
) -> Result<Reply, Refusal> {
    let limit = match call.query.get("limit") {
        None => DEFAULT_LIMIT,
        Some(text) => match text.parse() {
            Ok(limit @ 1..=MAX_LIMIT) => limit,
            _ => return Err(Refusal::invalid(format!("limit must be from 1 to {MAX_LIMIT}"))),
        },
    };
    if let Some(token) = call.query.get("page") {
        let last = decode(token).ok_or_else(|| Refusal::invalid("page is no token of this list"))?;
        items.retain(|(key, _)| if descending { *key < last } else { *key > last });
    }
    items.sort_by(|(left, _), (right, _)| if descending { right.cmp(left) } else { left.cmp(right) });
    // Half of what is left, lest a list that fits a page never be cut.
    let limit = if call.short_page {
        limit.min(items.len().div_ceil(2)).max(1)
    } else {
        limit
    };
    let next_page = if items.len() > limit {
        items.get(limit - 1).map(|(key, _)| encode(key))
    } else {
        None
    };
    let shown: Vec<_> = items.iter().take(limit).map(|(_, item)| view(item)).collect();
    Ok(Reply {
        body: Some(if call.kind.collection {
            Value::Object([("items".to_owned(), shown.into())].into_iter().collect())
        } else {
            shown.into()
        }),
        next_page,
        ..Reply::default()
    })
}

fn encode(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(json!(key).to_string())
}

fn decode(token: &str) -> Option<Key> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}
