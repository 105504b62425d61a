//! The fields that the scale subresource reads.

use serde_json::Value;

use super::error::FieldError;
use super::text::{json_text, quote};

/// Paths within the object, each with a leading dot.
#[derive(Debug)]
pub(super) struct Scale {
    spec_replicas: String,
    status_replicas: String,
    selector: Option<String>,
}

impl Scale {
    pub(super) fn of(json: &Value) -> Option<Self> {
        let path = |key: &str| json[key].as_str().map(str::to_owned);
        json.is_object().then(|| Self {
            spec_replicas: path("specReplicasPath").unwrap_or_default(),
            status_replicas: path("statusReplicasPath").unwrap_or_default(),
            selector: path("labelSelectorPath"),
        })
    }

    pub(super) fn spec_errors(&self, object: &Value) -> Vec<FieldError> {
        replicas(object, &self.spec_replicas).into_iter().collect()
    }

    pub(super) fn status_errors(&self, object: &Value) -> Vec<FieldError> {
        let selector = self.selector.as_ref().and_then(|path| match find(object, path) {
            Ok(None | Some(Value::String(_))) => None,
            Ok(Some(other)) => {
                let why = format!(
                    "{path} accessor error: {} is of the type {}, expected string",
                    shown(other),
                    go_type(other)
                );
                Some(FieldError::invalid(path.as_str(), "", why))
            }
            Err(why) => Some(FieldError::invalid(path.as_str(), "", why)),
        });
        replicas(object, &self.status_replicas)
            .into_iter()
            .chain(selector)
            .collect()
    }
}

fn replicas(object: &Value, path: &str) -> Option<FieldError> {
    let count = match find(object, path) {
        Ok(None) => return None,
        Ok(Some(value)) => value,
        Err(why) => return Some(FieldError::invalid(path, 0, why)),
    };
    let Some(count) = count.as_i64() else {
        let why = format!(
            "{path} accessor error: {} is of the type {}, expected int64",
            shown(count),
            go_type(count)
        );
        return Some(FieldError::invalid(path, 0, why));
    };
    if count < 0 {
        return Some(FieldError::invalid(path, count, "should be a non-negative integer"));
    }
    (count > i64::from(i32::MAX))
        .then(|| FieldError::invalid(path, count, "should be less than or equal to 2147483647"))
}

/// The value at a path; an error where something on the way is no object.
fn find<'a>(object: &'a Value, path: &str) -> Result<Option<&'a Value>, String> {
    let mut here = object;
    for name in path.trim_start_matches('.').split('.') {
        let Value::Object(entries) = here else {
            if here.is_null() {
                return Ok(None);
            }
            let (shown, of) = (shown(here), go_type(here));
            return Err(format!(
                "{path} accessor error: {shown} is of the type {of}, expected map[string]interface{{}}"
            ));
        };
        match entries.get(name) {
            Some(entry) => here = entry,
            None => return Ok(None),
        }
    }
    Ok(Some(here))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text).trim_matches('"').to_owned(),
        other => json_text(other),
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
