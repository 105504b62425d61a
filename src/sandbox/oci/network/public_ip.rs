//! Public addresses.

use serde_json::Value;

use super::super::call::{Call, Reply, text};
use super::super::compute::PRIVATE_IP;
use super::super::kind::{COMMON, Kind, Life};
use super::super::list;
use super::super::models::Body;
use super::super::refusal::Refusal;
use super::super::state::{Record, State};

pub(in super::super) static PUBLIC_IP: Kind = Kind {
    name: "PublicIp",
    ocid: "publicip",
    life: Life { makes: 1, ..COMMON },
    create: "CreatePublicIpDetails",
    update: "UpdatePublicIpDetails",
    filters: &["lifetime", "scope", "availabilityDomain", "publicIpPoolId"],
    prepare,
    change,
    ..Kind::PLAIN
};

/// An address of the block that documentation has for itself.
pub(in super::super) fn address(number: u64) -> String {
    let [.., high, low] = number.to_be_bytes();
    format!("203.0.{}.{low}", (u16::from(high) + 113) & 0xff)
}

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let private = text(fields, "privateIpId");
    if text(fields, "lifetime") == "EPHEMERAL" && private.is_empty() {
        return Err(Refusal::missing("privateIpId"));
    }
    let present = state
        .all(&PUBLIC_IP)
        .filter(|ip| ip.region == call.region.id && ip.tenancy == call.principal.tenancy && ip.lives());
    if present.count() >= state.limits.public_ips {
        return Err(Refusal::limit(format!(
            "the region has {} public IPs already",
            state.limits.public_ips
        )));
    }
    assign(state, call, fields)?;
    let number = state.next();
    fields.insert("ipAddress".to_owned(), address(number).into());
    fields.insert("scope".to_owned(), "REGION".into());
    Ok(())
}

fn change(state: &mut State, call: &Call, _: &Record, fields: &mut Body) -> Result<(), Refusal> {
    assign(state, call, fields)
}

/// An empty `privateIpId` takes the assignment back.
fn assign(state: &State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let Some(private) = fields.get("privateIpId").and_then(Value::as_str).map(str::to_owned) else {
        return Ok(());
    };
    if private.is_empty() {
        for field in ["privateIpId", "assignedEntityId", "assignedEntityType"] {
            fields.insert(field.to_owned(), Value::Null);
        }
        fields.insert("lifecycleState".to_owned(), "AVAILABLE".into());
        return Ok(());
    }
    state.related(call, "privateIpId", &PRIVATE_IP, &private)?;
    fields.insert("assignedEntityId".to_owned(), private.into());
    fields.insert("assignedEntityType".to_owned(), "PRIVATE_IP".into());
    fields.insert("lifecycleState".to_owned(), "ASSIGNED".into());
    Ok(())
}

pub(in super::super) fn list(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    call.required("scope")?;
    list::list(state, call)
}

/// The public address that has an address, or hangs on a private one.
pub(in super::super) fn look_up(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let (field, wanted) = [
        ("ipAddress", call.text("ipAddress")),
        ("privateIpId", call.text("privateIpId")),
    ]
    .into_iter()
    .find(|(_, wanted)| !wanted.is_empty())
    .ok_or_else(|| Refusal::missing("ipAddress or privateIpId"))?;
    let found = state.all(&PUBLIC_IP).find(|ip| ip.lives() && ip.text(field) == wanted);
    let id = found.map(|ip| ip.id.clone()).ok_or_else(Refusal::not_found)?;
    state.get(call, &PUBLIC_IP, &id).map(Reply::record)
}
