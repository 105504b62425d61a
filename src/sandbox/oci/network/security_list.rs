//! Security lists.

use serde_json::Value;

use super::super::call::Call;
use super::super::kind::Kind;
use super::super::models::Body;
use super::super::refusal::Refusal;
use super::super::state::{Record, State};
use super::{room, rules};

pub(in super::super) static SECURITY_LIST: Kind = Kind {
    name: "SecurityList",
    ocid: "securitylist",
    create: "CreateSecurityListDetails",
    update: "UpdateSecurityListDetails",
    prepare,
    change,
    ..Kind::PLAIN
};

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let vcn = super::vcn(state, call, fields)?;
    room(state, vcn, &SECURITY_LIST, state.limits.security_lists)?;
    check(state, call, fields)
}

fn change(state: &mut State, call: &Call, _: &Record, fields: &mut Body) -> Result<(), Refusal> {
    check(state, call, fields)
}

fn check(state: &State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    for (list, end) in [
        ("ingressSecurityRules", "source"),
        ("egressSecurityRules", "destination"),
    ] {
        let Some(Value::Array(rules)) = fields.get_mut(list) else {
            continue;
        };
        if rules.len() > state.limits.list_rules {
            return Err(Refusal::limit(format!(
                "{list}: at most {} rules",
                state.limits.list_rules
            )));
        }
        for rule in rules.iter_mut().filter_map(Value::as_object_mut) {
            rules::check(state, call, rule, end)?;
        }
    }
    Ok(())
}
