//! A network's documents, as far as they decide what passes.

use ipnet::IpNet;
use serde_json::Value;

use super::openings::{Opening, Openings};
use crate::resource::Reference;

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To and from the internet.
    Internet,
    /// To the internet, and back only for answers.
    Nat,
    /// To another network.
    Peering,
}

/// The far end of a rule or route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Far {
    Cidr(IpNet),
    Services,
}

#[derive(Debug)]
struct Rule {
    far: Far,
    opening: Opening,
}

/// One subnet, with the rules that hold for what is in it.
#[derive(Debug)]
pub(super) struct Subnet {
    pub(super) role: String,
    pub(super) cidr: Option<IpNet>,
    pub(super) public: bool,
    ingress: Vec<Rule>,
    egress: Vec<Rule>,
    routes: Vec<(Far, Value)>,
}

impl Subnet {
    pub(super) fn ingress(&self, from: Option<IpNet>) -> Openings {
        passing(&self.ingress, from)
    }

    pub(super) fn egress(&self, to: Option<IpNet>) -> Openings {
        passing(&self.egress, to)
    }

    /// Oracle's services have public addresses besides their label, so that rules for everywhere hold for them too.
    pub(super) fn egress_to_services(&self, outside: Option<IpNet>) -> Openings {
        let label = self.egress.iter().filter(|rule| rule.far == Far::Services);
        let by_label: Vec<Opening> = label.map(|rule| rule.opening).collect();
        let everywhere = self
            .egress
            .iter()
            .filter(|rule| holds(rule.far, outside))
            .map(|rule| rule.opening);
        Openings::new(by_label.into_iter().chain(everywhere).collect())
    }
}

fn passing(rules: &[Rule], net: Option<IpNet>) -> Openings {
    Openings::new(
        rules
            .iter()
            .filter(|rule| holds(rule.far, net))
            .map(|rule| rule.opening)
            .collect(),
    )
}

fn holds(far: Far, net: Option<IpNet>) -> bool {
    matches!((far, net), (Far::Cidr(far), Some(net)) if far.contains(&net))
}

/// The documents by what they are.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) subnets: Vec<Subnet>,
    documents: &'a [Value],
}

impl<'a> View<'a> {
    pub(super) fn of(documents: &'a [Value]) -> Self {
        let mut view = Self {
            subnets: Vec::new(),
            documents,
        };
        view.subnets = view.all("Subnet").filter_map(|subnet| view.subnet(subnet)).collect();
        view
    }

    fn all(&self, kind: &str) -> impl Iterator<Item = &'a Value> {
        let kind = kind.to_owned();
        self.documents
            .iter()
            .filter(move |document| document["kind"] == kind.as_str())
    }

    fn find(&self, kind: &str, name: &str) -> Option<&'a Value> {
        self.all(kind).find(|document| document["metadata"]["name"] == name)
    }

    /// The document that a field refers to.
    fn referred(&self, value: &Value) -> Option<&'a Value> {
        let reference = Reference::parse(value)?;
        self.find(&reference.id.kind, &reference.id.name)
    }

    fn subnet(&self, document: &Value) -> Option<Subnet> {
        let name = document["metadata"]["name"].as_str()?;
        let spec = &document["spec"];
        let stem = Reference::parse(&spec["vcnId"])?.id.name;
        let lists: Vec<&Value> = items(&spec["securityListIds"])
            .filter_map(|id| self.referred(id))
            .collect();
        let group = self.find("NetworkSecurityGroup", name);
        let of_lists = |key: &str| {
            lists
                .iter()
                .flat_map(|list| items(&list["spec"][key]))
                .collect::<Vec<_>>()
        };
        let of_group = |word: &str| {
            let rules = group
                .into_iter()
                .flat_map(|group| items(&group["spec"]["securityRules"]));
            rules.filter(|rule| rule["direction"] == word).collect::<Vec<_>>()
        };
        let rules = |list: Vec<&Value>, group: Vec<&Value>, end: &str| -> Vec<Rule> {
            list.into_iter()
                .chain(group)
                .filter_map(|rule| self::rule(rule, end))
                .collect()
        };
        let routes = self.referred(&spec["routeTableId"]).into_iter();
        let routes = routes.flat_map(|table| items(&table["spec"]["routeRules"]));
        Some(Subnet {
            role: name.strip_prefix(&stem)?.strip_prefix('-')?.to_owned(),
            cidr: cidr(&spec["cidrBlock"]),
            public: spec["prohibitPublicIpOnVnic"] == false && spec["prohibitInternetIngress"] == false,
            ingress: rules(of_lists("ingressSecurityRules"), of_group("INGRESS"), "source"),
            egress: rules(of_lists("egressSecurityRules"), of_group("EGRESS"), "destination"),
            routes: routes
                .filter_map(|route| Some((far(&route["destination"])?, route["networkEntityId"].clone())))
                .collect(),
        })
    }

    /// Where packets from a subnet to a range go.
    pub(super) fn way(&self, subnet: &Subnet, to: Option<IpNet>) -> Option<Way> {
        let matching = subnet.routes.iter().filter(|(far, _)| holds(*far, to));
        let length = |far: &Far| match far {
            Far::Cidr(net) => net.prefix_len(),
            Far::Services => 0,
        };
        let (_, entity) = matching.max_by_key(|(far, _)| length(far))?;
        let reference = Reference::parse(entity)?;
        let gateway = self.find(&reference.id.kind, &reference.id.name);
        match reference.id.kind.as_str() {
            "InternetGateway" => gateway
                .filter(|it| it["spec"]["isEnabled"] == true)
                .map(|_| Way::Internet),
            "NatGateway" => gateway
                .filter(|it| it["spec"]["blockTraffic"] == false)
                .map(|_| Way::Nat),
            "LocalPeeringGateway" => gateway
                .filter(|it| it["spec"]["peerId"].is_object())
                .map(|_| Way::Peering),
            "DrgAttachment" => gateway.map(|_| Way::Peering),
            _ => None,
        }
    }

    /// Whether the network's own rules in the far side's route tables lead back to a subnet, in each table.
    pub(super) fn is_routed_back(&self, subnet: &Subnet) -> bool {
        let mut tables = self.all("RouteTableRules").peekable();
        tables.peek().is_some()
            && tables.all(|table| {
                items(&table["spec"]["routeRules"]).any(|route| {
                    far(&route["destination"]).is_some_and(|far| holds(far, subnet.cidr))
                        && route["networkEntityId"] != Value::Null
                })
            })
    }

    /// Whether a subnet's packets find Oracle's services: through a gateway to them, or at their public addresses.
    pub(super) fn reaches_services(&self, subnet: &Subnet, outside: Option<IpNet>) -> bool {
        let to_services = |(far, entity): &(Far, Value)| {
            let gateway = self.referred(entity);
            *far == Far::Services && gateway.is_some_and(|gateway| gateway["kind"] == "ServiceGateway")
        };
        let in_public = subnet.public && self.way(subnet, outside) == Some(Way::Internet);
        in_public || subnet.routes.iter().any(to_services)
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn cidr(value: &Value) -> Option<IpNet> {
    value.as_str()?.parse().ok()
}

fn far(value: &Value) -> Option<Far> {
    match value {
        Value::Object(_) if value["$service"] == "all" => Some(Far::Services),
        _ => cidr(value).map(Far::Cidr),
    }
}

/// A rule of a list or group; none where it is stateless, which answers would need a rule of their own for.
fn rule(rule: &Value, end: &str) -> Option<Rule> {
    if rule["isStateless"] != false {
        return None;
    }
    let number = match rule["protocol"].as_str()? {
        "all" => None,
        number => Some(number.parse::<u8>().ok()?),
    };
    let port = |value: &Value| u16::try_from(value.as_u64()?).ok();
    let (from, to) = match number {
        Some(6) => range(&rule["tcpOptions"]["destinationPortRange"], port)?,
        Some(17) => range(&rule["udpOptions"]["destinationPortRange"], port)?,
        Some(1) if rule["icmpOptions"].is_object() => {
            let (kind, code) = (port(&rule["icmpOptions"]["type"])?, port(&rule["icmpOptions"]["code"])?);
            let both = kind.checked_mul(256)?.checked_add(code)?;
            (both, both)
        }
        _ => (0, u16::MAX),
    };
    Some(Rule {
        far: far(&rule[end])?,
        opening: Opening {
            protocol: number,
            from,
            to,
        },
    })
}

fn range(value: &Value, port: impl Fn(&Value) -> Option<u16>) -> Option<(u16, u16)> {
    if value.is_null() {
        return Some((0, u16::MAX));
    }
    Some((port(&value["min"])?, port(&value["max"])?))
}
