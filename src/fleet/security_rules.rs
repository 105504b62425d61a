//! Security rules in short: `tcp 6443 from 10.0.0.0/29`.
//!
//! Invariant: what is read is said in full, since Cluster API Provider OCI completes a rule that leaves something out, and
//! by that takes it over.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::model::{IcmpType, Ports, Role, SecurityGroup, SecurityRule};
use super::node::Node;
use super::problems::Problems;
use super::spec::GroupRules;
use crate::diag::{Code, Diagnostic};
use crate::resource::regions;

/// Protocols that have a name, and their numbers.
const PROTOCOLS: [(&str, &str); 5] = [
    ("all", "all"),
    ("tcp", "6"),
    ("udp", "17"),
    ("icmp", "1"),
    ("ipip", "4"),
];
/// The roles that Cluster API Provider OCI knows.
const ROLES: [Role; 5] = [
    Role::ControlPlaneEndpoint,
    Role::ControlPlane,
    Role::Worker,
    Role::ServiceLb,
    Role::Pod,
];

/// Reads the groups of a network.
pub(super) fn groups(
    typed: &BTreeMap<String, Option<GroupRules>>,
    (node, region): (&Node, &str),
    problems: &mut Problems<'_>,
) -> BTreeMap<String, SecurityGroup> {
    let mut groups = BTreeMap::new();
    for (name, typed) in typed {
        let Some(typed) = typed else { continue };
        let at = |path: &[&str]| node.at(path).map_or(node.place, |node| node.place);
        if !ROLES.iter().any(|role| role.name() == name) {
            let message = format!("`{name}` is no role of a subnet");
            let hint = format!("there are {}", super::shape::quoted(&ROLES.map(Role::name)));
            problems.add(Diagnostic::new(Code::NotAllowed, message).hint(hint), at(&[name]));
            continue;
        }
        let mut read = |lines: &Option<Vec<String>>, key: &str, word: &str| {
            let mut rules = Vec::new();
            for (index, line) in lines.iter().flatten().enumerate() {
                match rule(line, word, region) {
                    Ok(more) => rules.extend(more),
                    Err(message) => {
                        let item = node.at(&[name, key]).and_then(|list| list.item(index));
                        let problem = Diagnostic::new(Code::NotAllowed, message).hint(format!(
                            "write it like `tcp 443 30000-32767 {word} 10.0.0.0/16`, or `icmp 3/4 {word} anywhere`"
                        ));
                        problems.add(problem, item.map_or(at(&[name]), |item| item.place));
                    }
                }
            }
            rules
        };
        let group = SecurityGroup {
            ingress: read(&typed.ingress, "ingress", "from"),
            egress: read(&typed.egress, "egress", "to"),
        };
        groups.insert(name.clone(), group);
    }
    groups
}

/// One line: a rule for each of its ports and each of its far ends.
fn rule(text: &str, word: &str, region: &str) -> Result<Vec<SecurityRule>, String> {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or_default();
    let protocol = PROTOCOLS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| (*number).to_owned())
        .or_else(|| name.parse::<u8>().ok().map(|number| number.to_string()))
        .ok_or_else(|| format!("`{name}` is no protocol"))?;
    let ports: Vec<&str> = words.by_ref().take_while(|next| *next != word).collect();
    let ends: Vec<&str> = words.collect();
    if ends.is_empty() {
        return Err(format!("`{text}` does not say `{word}` where"));
    }
    let mut rules = Vec::new();
    // Without any port it is about all of them.
    let ports = if ports.is_empty() {
        vec![None]
    } else {
        ports.into_iter().map(Some).collect()
    };
    for port in ports {
        for end in &ends {
            let (far, far_type) = far(end, region)?;
            let mut rule = SecurityRule {
                description: text.to_owned(),
                protocol: protocol.clone(),
                far,
                far_type,
                ports: None,
                icmp: None,
            };
            match (port, name) {
                (None, _) => {}
                (Some(port), "tcp" | "udp") => rule.ports = Some(range(port)?),
                (Some(port), "icmp") => rule.icmp = Some(icmp(port)?),
                (Some(port), _) => return Err(format!("`{port}`: there are no ports in `{name}`")),
            }
            rules.push(rule);
        }
    }
    Ok(rules)
}

fn far(text: &str, region: &str) -> Result<(String, String), String> {
    if text == "services" {
        let key = regions::find(region).map(|region| region.key);
        let key = key.ok_or_else(|| format!("the name of Oracle's services in `{region}` is not known"))?;
        let label = format!("all-{key}-services-in-oracle-services-network");
        return Ok((label, "SERVICE_CIDR_BLOCK".to_owned()));
    }
    let text = if text == "anywhere" { "0.0.0.0/0" } else { text };
    let net: IpNet = text
        .parse()
        .map_err(|_| format!("`{text}` is no range, nor `anywhere` or `services`"))?;
    Ok((net.to_string(), "CIDR_BLOCK".to_owned()))
}

fn range(text: &str) -> Result<Ports, String> {
    let (min, max) = text.split_once('-').unwrap_or((text, text));
    match (min.parse::<u16>(), max.parse::<u16>()) {
        (Ok(min), Ok(max)) if min > 0 && min <= max => Ok(Ports { min, max }),
        _ => Err(format!("`{text}` is no port, and no range of ports")),
    }
}

fn icmp(text: &str) -> Result<IcmpType, String> {
    let wrong = |_| format!("`{text}` is no type of ICMP, and no `<type>/<code>`");
    let (kind, code) = match text.split_once('/') {
        Some((kind, code)) => (kind, Some(code)),
        None => (text, None),
    };
    Ok(IcmpType {
        kind: kind.parse().map_err(wrong)?,
        code: code.map(str::parse).transpose().map_err(wrong)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<SecurityRule>, String> {
        rule(text, "from", "us-ashburn-1")
    }

    #[test]
    fn a_line_is_a_rule_for_each_port_and_each_end() {
        let rules = read("tcp 443 30000-32767 from 10.0.0.0/16 anywhere").unwrap();
        let of = |rule: &SecurityRule| (rule.ports.as_ref().map(|it| (it.min, it.max)), rule.far.clone());
        assert_eq!(
            rules.iter().map(of).collect::<Vec<_>>(),
            [
                (Some((443, 443)), "10.0.0.0/16".to_owned()),
                (Some((443, 443)), "0.0.0.0/0".to_owned()),
                (Some((30000, 32767)), "10.0.0.0/16".to_owned()),
                (Some((30000, 32767)), "0.0.0.0/0".to_owned()),
            ]
        );
        let path = read("icmp 3/4 from services").unwrap().remove(0);
        assert_eq!(
            (path.protocol.as_str(), path.far_type.as_str()),
            ("1", "SERVICE_CIDR_BLOCK")
        );
        assert_eq!(path.far, "all-iad-services-in-oracle-services-network");
        assert_eq!(path.icmp, Some(IcmpType { kind: 3, code: Some(4) }));
        assert_eq!(read("58 from fd00::/48").unwrap()[0].protocol, "58");
    }

    #[test]
    fn what_is_no_rule_says_why() {
        for wrong in [
            "",
            "tpc 1 from anywhere",
            "tcp 1",
            "tcp 1 to anywhere",
            "tcp 0 from anywhere",
            "tcp 9-1 from anywhere",
            "tcp 70000 from anywhere",
            "all 22 from anywhere",
            "icmp x from anywhere",
            "icmp 3/999 from anywhere",
            "tcp 1 from nowhere",
            "300 from anywhere",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
