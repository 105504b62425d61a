//! Compute: instances with their VNICs and private addresses, as far as clusters need them.

use serde_json::{Value, json};

use super::call::{Call, Reply, body, text, texts};
use super::generic;
use super::identity_service;
use super::kind::{COMMON, Kind, Life};
use super::list;
use super::models::Body;
use super::network::group::NETWORK_SECURITY_GROUP;
use super::network::subnet::{self, SUBNET};
use super::refusal::Refusal;
use super::route::{Route, routes};
use super::state::{Record, State};

pub(super) static INSTANCE: Kind = Kind {
    name: "Instance",
    ocid: "instance",
    life: Life {
        ready: "RUNNING",
        makes: 20,
        unmakes: 15,
        ..COMMON
    },
    create: "LaunchInstanceDetails",
    update: "UpdateInstanceDetails",
    filters: &["displayName", "lifecycleState", "availabilityDomain"],
    prepare: prepare_instance,
    born: born_instance,
    dies: dies_instance,
    ..Kind::PLAIN
};

pub(super) static VNIC: Kind = Kind {
    name: "Vnic",
    ocid: "vnic",
    life: Life { unmakes: 15, ..COMMON },
    update: "UpdateVnicDetails",
    change: change_vnic,
    ..Kind::PLAIN
};

pub(super) static VNIC_ATTACHMENT: Kind = Kind {
    name: "VnicAttachment",
    ocid: "vnicattachment",
    life: Life {
        making: "ATTACHING",
        ready: "ATTACHED",
        unmaking: "DETACHING",
        gone: "DETACHED",
        makes: 5,
        unmakes: 15,
    },
    filters: &["availabilityDomain", "instanceId", "vnicId"],
    ..Kind::PLAIN
};

pub(super) static PRIVATE_IP: Kind = Kind {
    name: "PrivateIp",
    ocid: "privateip",
    life: Life { unmakes: 15, ..COMMON },
    filters: &["subnetId", "vnicId", "ipAddress"],
    ..Kind::PLAIN
};

pub(super) static ROUTES: &[Route] = routes! {
    POST "instances" LaunchInstance INSTANCE generic::create;
    GET "instances" ListInstances INSTANCE list::list;
    GET "instances/{}" GetInstance INSTANCE generic::get;
    PUT "instances/{}" UpdateInstance INSTANCE generic::update;
    DELETE "instances/{}" TerminateInstance INSTANCE generic::delete;
    GET "vnicAttachments" ListVnicAttachments VNIC_ATTACHMENT list::list;
    GET "vnicAttachments/{}" GetVnicAttachment VNIC_ATTACHMENT generic::get;
    GET "vnics/{}" GetVnic VNIC generic::get;
    PUT "vnics/{}" UpdateVnic VNIC generic::update;
    GET "privateIps" ListPrivateIps PRIVATE_IP private_ips;
    GET "privateIps/{}" GetPrivateIp PRIVATE_IP generic::get;
    GET "images" ListImages INSTANCE images;
    GET "images/{}" GetImage INSTANCE image;
    GET "shapes" ListShapes INSTANCE shapes;
};

const MAX_GROUPS: usize = 5;

/// The primary VNIC that a launch asks for.
fn wanted_vnic(fields: &Body) -> Body {
    let mut vnic = fields
        .get("createVnicDetails")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    if let Some(subnet) = fields.get("subnetId") {
        vnic.entry("subnetId").or_insert(subnet.clone());
    }
    vnic
}

fn prepare_instance(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let domain = text(fields, "availabilityDomain");
    if !identity_service::availability_domains(call.region).any(|known| known == domain) {
        return Err(Refusal::invalid(format!("availabilityDomain: there is no {domain}")));
    }
    if text(fields, "shape").is_empty() {
        return Err(Refusal::missing("shape"));
    }
    let vnic = wanted_vnic(fields);
    let subnet = state.related(call, "subnetId", &SUBNET, text(&vnic, "subnetId"))?;
    subnet::address(state, subnet, text(&vnic, "privateIp"))?;
    groups(state, call, &vnic)?;
    let image = fields
        .get("sourceDetails")
        .and_then(|source| source.get("imageId"))
        .cloned();
    if let Some(image) = image {
        fields.entry("imageId").or_insert(image);
    }
    fields.insert("region".to_owned(), call.region.id.into());
    fields.entry("faultDomain").or_insert("FAULT-DOMAIN-1".into());
    fields.entry("launchMode").or_insert("PARAVIRTUALIZED".into());
    Ok(())
}

fn groups(state: &State, call: &Call, vnic: &Body) -> Result<(), Refusal> {
    let ids: Vec<_> = texts(vnic, "nsgIds").collect();
    if ids.len() > MAX_GROUPS {
        return Err(Refusal::limit(format!(
            "a VNIC is in at most {MAX_GROUPS} network security groups"
        )));
    }
    ids.into_iter().try_for_each(|id| {
        state.related(call, "nsgIds", &NETWORK_SECURITY_GROUP, id)?;
        Ok(())
    })
}

fn born_instance(state: &mut State, call: &Call, id: &str) {
    let Some(instance) = state.find(id) else { return };
    let wanted = wanted_vnic(instance.body());
    let (compartment, domain) = (
        instance.compartment().to_owned(),
        instance.text("availabilityDomain").to_owned(),
    );
    let Some(subnet) = state.find(text(&wanted, "subnetId")) else {
        return;
    };
    let Ok(address) = subnet::address(state, subnet, text(&wanted, "privateIp")) else {
        return;
    };
    let subnet = subnet.id.clone();
    let common = body([
        ("compartmentId", compartment.into()),
        ("availabilityDomain", domain.into()),
        ("subnetId", subnet.into()),
    ]);
    let with = |fields: Body| -> Body { common.clone().into_iter().chain(fields).collect() };
    let number = state.next();
    let mut vnic = with(body([
        ("privateIp", address.to_string().into()),
        ("isPrimary", true.into()),
        ("skipSourceDestCheck", false.into()),
        (
            "macAddress",
            format!(
                "02:00:17:{:02X}:{:02X}:{:02X}",
                (number >> 16) & 0xff,
                (number >> 8) & 0xff,
                number & 0xff
            )
            .into(),
        ),
        ("nsgIds", wanted.get("nsgIds").cloned().unwrap_or_else(|| json!([]))),
    ]));
    for field in [
        "displayName",
        "hostnameLabel",
        "skipSourceDestCheck",
        "freeformTags",
        "definedTags",
    ] {
        if let Some(value) = wanted.get(field) {
            vnic.insert(field.to_owned(), value.clone());
        }
    }
    let vnic = generic::beget(state, call, &VNIC, vnic);
    let private = with(body([
        ("vnicId", vnic.clone().into()),
        ("ipAddress", address.to_string().into()),
        ("isPrimary", true.into()),
    ]));
    generic::beget(state, call, &PRIVATE_IP, private);
    let attachment = with(body([
        ("instanceId", id.into()),
        ("vnicId", vnic.clone().into()),
        ("nicIndex", 0.into()),
    ]));
    generic::beget(state, call, &VNIC_ATTACHMENT, attachment);
    state.amend(&vnic, |vnic| {
        vnic.extra_mut().insert("instanceId".to_owned(), id.into());
    });
    // The launch's own words for the VNIC are not the instance's: what it holds on to is the VNIC.
    state.amend(id, |instance| {
        instance.body_mut().remove("createVnicDetails");
        instance.body_mut().remove("subnetId");
    });
}

fn dies_instance(state: &mut State, call: &Call, instance: &Record) {
    let attachments: Vec<_> = state
        .held(&instance.id, &VNIC_ATTACHMENT)
        .map(|attachment| (attachment.id.clone(), attachment.text("vnicId").to_owned()))
        .collect();
    for (attachment, vnic) in attachments {
        let addresses: Vec<_> = state
            .held(&vnic, &PRIVATE_IP)
            .map(|address| address.id.clone())
            .collect();
        for id in addresses.into_iter().chain([vnic, attachment]) {
            generic::end(state, call, &id);
        }
    }
}

fn change_vnic(state: &mut State, call: &Call, _: &Record, fields: &mut Body) -> Result<(), Refusal> {
    groups(state, call, fields)
}

/// Private addresses are listed by subnet, VNIC or address, without a compartment.
fn private_ips(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let held_by = ["vnicId", "subnetId"]
        .into_iter()
        .find_map(|field| call.query.get(field))
        .ok_or_else(|| Refusal::missing("subnetId or vnicId"))?;
    let filters = list::Filters::of(call);
    let found = state
        .held(held_by, &PRIVATE_IP)
        .filter(|record| !record.gone() && filters.pass(record));
    list::records(call, found)
}

/// The images that there are: one of each kind that clusters boot from.
fn all_images(call: &Call) -> Vec<Value> {
    let image = |number: u8, name: &str, system: &str, version: &str| {
        json!({
            "id": format!("ocid1.image.{}.{}.aaaaaaaasandboximage{number}", call.region.realm, call.region.id),
            "compartmentId": Value::Null,
            "displayName": name,
            "operatingSystem": system,
            "operatingSystemVersion": version,
            "lifecycleState": "AVAILABLE",
            "createImageAllowed": true,
            "timeCreated": super::state::time(jiff::Timestamp::UNIX_EPOCH),
            "launchMode": "PARAVIRTUALIZED",
            "freeformTags": {},
            "definedTags": {},
        })
    };
    vec![
        image(1, "Oracle-Linux-8.10", "Oracle Linux", "8"),
        image(2, "rhcos-openstack", "RHCOS", "4"),
    ]
}

fn images(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    if !state.open(call, call.required("compartmentId")?) {
        return Err(Refusal::not_found());
    }
    let filters = [
        "displayName",
        "operatingSystem",
        "operatingSystemVersion",
        "lifecycleState",
    ];
    let found = all_images(call).into_iter().filter(|image| {
        filters.iter().all(|filter| {
            call.query
                .get(*filter)
                .is_none_or(|wanted| image.get(*filter) == Some(&json!(wanted)))
        })
    });
    list::values(call, found)
}

/// An image; one that was never seen is there, like a compartment.
fn image(_: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = call.param(0);
    let mut known = all_images(call);
    if let Some(image) = known.iter().find(|image| image.get("id") == Some(&json!(id))) {
        return Ok(Reply::value(image.clone()));
    }
    match known.first_mut().and_then(Value::as_object_mut) {
        Some(image) if id.starts_with("ocid1.image.") => {
            image.insert("id".to_owned(), id.into());
            image.insert("displayName".to_owned(), "custom".into());
            Ok(Reply::value(Value::Object(image.clone())))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn shapes(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    if !state.open(call, call.required("compartmentId")?) {
        return Err(Refusal::not_found());
    }
    let shape = |name: &str, flexible: bool| {
        json!({
            "shape": name,
            "isFlexible": flexible,
            "ocpus": 1.0,
            "memoryInGBs": 16.0,
            "maxVnicAttachments": 2,
            "ocpuOptions": {"min": 1.0, "max": 94.0},
            "memoryOptions": {"minInGBs": 1.0, "maxInGBs": 1049.0, "defaultPerOcpuInGBs": 16.0},
        })
    };
    list::values(
        call,
        [
            shape("VM.Standard.E4.Flex", true),
            shape("VM.Standard.E5.Flex", true),
            shape("VM.Standard.A1.Flex", true),
            shape("BM.Standard.E5.192", false),
        ],
    )
}
