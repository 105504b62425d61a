//! Internet, NAT and service gateways: one of each in a VCN.

use serde_json::{Value, json};

use super::super::call::{Call, objects, text};
use super::super::kind::{COMMON, Kind, Life};
use super::super::models::Body;
use super::super::refusal::Refusal;
use super::super::state::{Record, State};
use super::public_ip::{self, PUBLIC_IP};
use super::route_table::ROUTE_TABLE;
use super::{of_vcn, room, services};

pub(in super::super) static INTERNET_GATEWAY: Kind = Kind {
    name: "InternetGateway",
    ocid: "internetgateway",
    create: "CreateInternetGatewayDetails",
    update: "UpdateInternetGatewayDetails",
    prepare: |state, call, fields| only(state, call, fields, &INTERNET_GATEWAY),
    change: route_table,
    ..Kind::PLAIN
};

pub(in super::super) static NAT_GATEWAY: Kind = Kind {
    name: "NatGateway",
    ocid: "natgateway",
    life: Life {
        makes: 3,
        unmakes: 3,
        ..COMMON
    },
    create: "CreateNatGatewayDetails",
    update: "UpdateNatGatewayDetails",
    prepare: prepare_nat,
    change: route_table,
    ..Kind::PLAIN
};

pub(in super::super) static SERVICE_GATEWAY: Kind = Kind {
    name: "ServiceGateway",
    ocid: "servicegateway",
    life: Life {
        makes: 2,
        unmakes: 2,
        ..COMMON
    },
    create: "CreateServiceGatewayDetails",
    update: "UpdateServiceGatewayDetails",
    // Service gateways are listed by VCN and state alone.
    filters: &["vcnId", "lifecycleState"],
    prepare: prepare_service,
    change: change_service,
    ..Kind::PLAIN
};

fn only(state: &State, call: &Call, fields: &Body, kind: &Kind) -> Result<(), Refusal> {
    let vcn = super::vcn(state, call, fields)?;
    room(state, vcn, kind, 1)?;
    of_vcn(state, call, fields, "routeTableId", &ROUTE_TABLE, &vcn.id)
}

fn route_table(state: &mut State, call: &Call, gateway: &Record, fields: &mut Body) -> Result<(), Refusal> {
    of_vcn(state, call, fields, "routeTableId", &ROUTE_TABLE, gateway.text("vcnId"))
}

fn prepare_nat(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    only(state, call, fields, &NAT_GATEWAY)?;
    fields.entry("blockTraffic").or_insert(Value::Bool(false));
    let reserved = text(fields, "publicIpId");
    let address = if reserved.is_empty() {
        public_ip::address(state.next())
    } else {
        let reserved = state.related(call, "publicIpId", &PUBLIC_IP, reserved)?;
        if !reserved.text("assignedEntityId").is_empty() {
            return Err(Refusal::conflict(format!(
                "the public IP {} is assigned already",
                reserved.id
            )));
        }
        reserved.text("ipAddress").to_owned()
    };
    fields.insert("natIp".to_owned(), address.into());
    Ok(())
}

fn prepare_service(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    only(state, call, fields, &SERVICE_GATEWAY)?;
    fields.entry("blockTraffic").or_insert(Value::Bool(false));
    name_services(call, fields)
}

fn change_service(state: &mut State, call: &Call, gateway: &Record, fields: &mut Body) -> Result<(), Refusal> {
    name_services(call, fields)?;
    route_table(state, call, gateway, fields)
}

fn name_services(call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    if !fields.contains_key("services") {
        return Ok(());
    }
    let named: Vec<_> = objects(fields, "services")
        .map(|service| {
            let id = text(service, "serviceId");
            services::all(call.region)
                .into_iter()
                .find(|known| known.id == id)
                .map(|known| json!({"serviceId": known.id, "serviceName": known.name}))
                .ok_or_else(|| Refusal::related("serviceId", id))
        })
        .collect::<Result<_, _>>()?;
    if named.len() > 1 {
        return Err(Refusal::invalid("a service gateway takes one service label"));
    }
    fields.insert("services".to_owned(), named.into());
    Ok(())
}
