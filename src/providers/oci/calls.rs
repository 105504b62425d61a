//! The calls that the kinds make, as data.

use http::Method;
use serde_json::Value;

use super::api::{Call, Place, Service};

/// A GET.
pub(super) fn get(service: Service, place: &Place, operation: &'static str, path: String) -> Call {
    Call {
        service,
        place: place.clone(),
        operation,
        method: Method::GET,
        path,
        query: Vec::new(),
        body: None,
        retry_token: None,
        if_match: None,
    }
}

/// A GET of a compartment's resources.
pub(super) fn list_in(
    service: Service,
    place: &Place,
    operation: &'static str,
    path: &str,
    compartment: &str,
    more: &[(&'static str, &str)],
) -> Call {
    let mut call = get(service, place, operation, path.to_owned());
    call.query.push(("compartmentId", compartment.to_owned()));
    call.query
        .extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    call
}

/// A call that changes something.
pub(super) fn change(
    service: Service,
    place: &Place,
    operation: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
) -> Call {
    Call {
        method,
        body,
        ..get(service, place, operation, path)
    }
}
