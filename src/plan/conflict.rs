//! Fields that another manager owns: forced, yielded or refused, field by field.

use serde_json::Value;

use super::decide::{Context, MANAGER};
use super::drift::is_below;
use crate::fleet::model::{ConflictRule, OnConflict};
use crate::providers::Sensitive;
use crate::resource::{PathElement, ResourceId};
use crate::schema::Schema;
use crate::ssa;

/// What came of a document that is to be applied over a live object.
pub(super) enum Resolution {
    /// It can be written.
    Applied {
        /// The document, less what is yielded.
        document: Sensitive,
        /// The object as it will be.
        result: Value,
        /// Whether some conflict is to be overruled.
        force: bool,
    },
    /// These conflicts are not to be overruled.
    Refused {
        /// What is owned by whom.
        conflicts: Vec<ssa::Conflict>,
        /// The object as it would be if they were.
        forced: Option<Value>,
    },
    /// The server would refuse the document.
    Invalid(String),
    /// The live object can't be merged into; why.
    Failed(String),
}

/// Merges, and settles each conflict by the fleet's rules.
pub(super) fn resolve(
    id: &ResourceId,
    document: &Sensitive,
    live: &Value,
    schema: &Schema,
    context: &Context<'_>,
) -> Resolution {
    let merge = |document: &Sensitive, force| {
        let request = request(document, live, schema, context);
        ssa::apply(ssa::ApplyRequest { force, ..request })
    };
    let conflicts = match merge(document, false) {
        Ok(ssa::ApplyOutcome::Applied(result)) => {
            return Resolution::Applied {
                document: document.clone(),
                result,
                force: false,
            };
        }
        Ok(ssa::ApplyOutcome::Conflicts(conflicts)) => conflicts,
        Err(error) => return failed(&error),
    };
    let (mut refused, mut yielded, mut force) = (Vec::new(), Vec::new(), false);
    for conflict in conflicts {
        match policy(context.conflicts, &id.kind, &conflict) {
            OnConflict::Fail => refused.push(conflict),
            OnConflict::Yield => yielded.push(conflict.field),
            OnConflict::Force => force = true,
        }
    }
    let refuse = |conflicts| Resolution::Refused {
        conflicts,
        forced: forced(document, live, schema, context),
    };
    if !refused.is_empty() {
        return refuse(refused);
    }
    let mut rest = document.expose().clone();
    for field in &yielded {
        remove(&mut rest, field.elements());
    }
    let rest = Sensitive::new(rest);
    match merge(&rest, force) {
        Ok(ssa::ApplyOutcome::Applied(result)) => Resolution::Applied {
            document: rest,
            result,
            force,
        },
        // What was yielded may be the key of what was not; then there is no way but to leave it all.
        Ok(ssa::ApplyOutcome::Conflicts(conflicts)) => refuse(conflicts),
        Err(error) => failed(&error),
    }
}

/// What would come of a document if every conflict were overruled; none where it can't be merged.
pub(super) fn forced(document: &Sensitive, live: &Value, schema: &Schema, context: &Context<'_>) -> Option<Value> {
    let request = request(document, live, schema, context);
    match ssa::apply(ssa::ApplyRequest { force: true, ..request }) {
        Ok(ssa::ApplyOutcome::Applied(result)) => Some(result),
        Ok(ssa::ApplyOutcome::Conflicts(_)) | Err(_) => None,
    }
}

fn request<'a>(
    document: &'a Sensitive,
    live: &'a Value,
    schema: &'a Schema,
    context: &'a Context<'_>,
) -> ssa::ApplyRequest<'a> {
    ssa::ApplyRequest {
        live: Some(live),
        config: document.expose(),
        manager: MANAGER,
        force: false,
        schema,
        now: context.now,
    }
}

fn failed(error: &ssa::SsaError) -> Resolution {
    let message = crate::report::chain(error);
    match error {
        ssa::SsaError::WrongType { .. } | ssa::SsaError::ManagedFieldsApplied | ssa::SsaError::Config(_) => {
            Resolution::Invalid(message)
        }
        ssa::SsaError::ManagedFields(_)
        | ssa::SsaError::Live(_)
        | ssa::SsaError::UnknownVersion(_)
        | ssa::SsaError::Conversion { .. } => Resolution::Failed(message),
    }
}

/// The first rule that matches; without one, what another manager *applies* is respected, and what was edited by hand is
/// mended.
fn policy(rules: &[ConflictRule], kind: &str, conflict: &ssa::Conflict) -> OnConflict {
    let field = conflict.field.to_string();
    rules
        .iter()
        .find(|rule| {
            rule.kind.as_deref().is_none_or(|wanted| wanted == kind)
                && rule.manager.as_deref().is_none_or(|wanted| wanted == conflict.manager)
                && rule.field.as_deref().is_none_or(|wanted| is_below(&field, wanted))
        })
        .map_or(
            match conflict.operation {
                ssa::Operation::Apply => OnConflict::Fail,
                ssa::Operation::Update => OnConflict::Force,
            },
            |rule| rule.action,
        )
}

/// Takes a field out of a document.
fn remove(value: &mut Value, path: &[PathElement]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    match (first, value) {
        (PathElement::Field(name), Value::Object(map)) => {
            if rest.is_empty() {
                map.remove(name);
            } else if let Some(child) = map.get_mut(name) {
                remove(child, rest);
            }
        }
        (PathElement::Index(index), Value::Array(items)) => {
            if let (false, Some(child)) = (rest.is_empty(), items.get_mut(*index)) {
                remove(child, rest);
            }
        }
        (element, Value::Array(items)) => {
            let Some(position) = items.iter().position(|item| matches(item, element)) else {
                return;
            };
            if rest.is_empty() {
                items.remove(position);
            } else {
                remove(&mut items[position], rest);
            }
        }
        _ => {}
    }
}

fn matches(item: &Value, element: &PathElement) -> bool {
    match element {
        PathElement::Key(keys) => keys.iter().all(|(name, value)| item.get(name) == Some(value)),
        PathElement::Value(value) => item == value,
        PathElement::Field(_) | PathElement::Index(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::FieldPath;

    fn conflict(field: &[&str], manager: &str, operation: ssa::Operation) -> ssa::Conflict {
        ssa::Conflict {
            manager: manager.to_owned(),
            operation,
            field: FieldPath::new(
                field
                    .iter()
                    .map(|name| PathElement::Field((*name).to_owned()))
                    .collect(),
            ),
            api_version: "v1".to_owned(),
            time: String::new(),
            subresource: String::new(),
        }
    }

    fn rule(kind: Option<&str>, field: Option<&str>, manager: Option<&str>, action: OnConflict) -> ConflictRule {
        let own = |text: Option<&str>| text.map(str::to_owned);
        ConflictRule {
            kind: own(kind),
            field: own(field),
            manager: own(manager),
            action,
        }
    }

    #[test]
    fn without_a_rule_an_applier_is_respected_and_an_edit_is_mended() {
        let applied = conflict(&["spec", "replicas"], "other", ssa::Operation::Apply);
        let edited = conflict(&["spec", "replicas"], "kubectl-edit", ssa::Operation::Update);
        assert_eq!(policy(&[], "NodePool", &applied), OnConflict::Fail);
        assert_eq!(policy(&[], "NodePool", &edited), OnConflict::Force);
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rules = [
            rule(Some("NodePool"), Some("spec.replicas"), None, OnConflict::Yield),
            rule(None, None, Some("other"), OnConflict::Force),
        ];
        let replicas = conflict(&["spec", "replicas"], "other", ssa::Operation::Apply);
        let longer = conflict(&["spec", "replicasMax"], "other", ssa::Operation::Apply);
        assert_eq!(policy(&rules, "NodePool", &replicas), OnConflict::Yield);
        assert_eq!(policy(&rules, "NodePool", &longer), OnConflict::Force);
        assert_eq!(policy(&rules, "HostedCluster", &replicas), OnConflict::Force);
    }

    #[test]
    fn removes_fields_items_and_members() {
        let mut document = json!({"spec": {"list": [{"name": "a", "x": 1}, {"name": "b"}], "set": ["p", "q"]}});
        let list = || PathElement::Field("list".to_owned());
        let spec = || PathElement::Field("spec".to_owned());
        let key = |name: &str| PathElement::Key(vec![("name".to_owned(), json!(name))]);
        remove(
            &mut document,
            &[spec(), list(), key("a"), PathElement::Field("x".to_owned())],
        );
        remove(&mut document, &[spec(), list(), key("b")]);
        remove(
            &mut document,
            &[
                spec(),
                PathElement::Field("set".to_owned()),
                PathElement::Value(json!("p")),
            ],
        );
        assert_eq!(document, json!({"spec": {"list": [{"name": "a"}], "set": ["q"]}}));
    }
}
