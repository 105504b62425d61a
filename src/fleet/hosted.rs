//! A cluster whose control plane HyperShift hosts: what only that kind has.

use serde_json::{Value, json};

use super::cluster::Parts;
use super::cluster_network::own_balancer;
use super::endpoint;
use super::model::{ClusterKind, Etcd, Hosted, SecretUse};
use super::pools::{self, PoolPlaces};
use super::problems::Problems;
use super::release;
use super::services;
use super::shared;
use super::spec::{self, Settings};
use crate::diag::{Code, Diagnostic};

/// Resolves it; none, and said why, where something lacks.
pub(super) fn resolve(parts: Parts<'_>, problems: &mut Problems<'_>) -> Option<(ClusterKind, PoolPlaces)> {
    let Parts {
        merged,
        index,
        manager,
        pin,
        network,
        releases,
        place,
        ..
    } = parts;
    let settings = &merged.settings;
    let release = release::control_plane(merged, (index, place), problems)?;
    let via = release::via(merged, index, problems);
    let known = release::before(&release.version, releases, merged);
    let channel = settings
        .channel
        .clone()
        .unwrap_or_else(|| format!("stable-{}.{}", release.version.major, release.version.minor));
    let Some(base_domain) = settings.base_domain.clone() else {
        let message = format!("cluster `{}` has no `baseDomain`", parts.name);
        let hint = "set it for all of them in `defaults` of the `Fleet` document";
        problems.add(Diagnostic::new(Code::MissingKey, message).hint(hint), place);
        return None;
    };
    let object_name = &pin.object_name;
    let used = |typed: &Option<spec::SecretUse>| secret_use(typed.as_ref()?, object_name);
    let Some(pull_secret) = used(&settings.pull_secret) else {
        let message = format!("cluster `{}` has no `pullSecret`", parts.name);
        let hint =
            "set it for all of them in `defaults` of the `Fleet` document: `pullSecret: {from: <namespace>/<name>}`";
        problems.add(Diagnostic::new(Code::MissingKey, message).hint(hint), place);
        return None;
    };
    let availability = settings.availability.unwrap_or(spec::Availability::High);
    let infrastructure = settings.infrastructure_availability.unwrap_or(availability);
    let etcd = settings.etcd.clone().unwrap_or_default();
    let own = own_balancer(settings).then(|| endpoint::hostname(object_name, &base_domain));
    let address = own.as_ref().or(manager.model.node_port_address.as_ref());
    let services = services::derive(
        merged,
        (object_name, &base_domain),
        (manager, address),
        (place, problems),
    );
    let dns_zone = settings.dns.as_ref().and_then(|dns| dns.zone.clone());
    let endpoint = own.and_then(|hostname| {
        let typed = merged.node.at(&["network", "endpoint", "loadBalancer"]);
        let wish = endpoint::Wish {
            hostname,
            services: &services,
            plan: network.source.plan(),
            dns_zone: dns_zone.as_deref(),
            manager,
            place: typed.map_or(place, |node| node.place),
        };
        endpoint::derive(wish, problems)
    });
    let (node_pools, pool_places) = pools::resolve(parts, problems);
    let mut hosted = Hosted {
        dialect: manager.model.dialect,
        control_plane_namespace: format!("{}-{}", parts.namespace, object_name.replace('.', "-")),
        infra_id: format!("{object_name}-{}", pin.id.get(..5).unwrap_or(&pin.id)),
        channel: Some(channel),
        base_domain,
        controller_availability: availability_word(availability),
        infrastructure_availability: availability_word(infrastructure),
        etcd: Etcd {
            size: etcd.size.unwrap_or_else(|| "8Gi".to_owned()),
            storage_class: etcd.storage_class,
        },
        fips: settings.fips.unwrap_or(false),
        endpoint_access: match settings.endpoint_access {
            Some(spec::EndpointAccess::PublicAndPrivate) => "PublicAndPrivate",
            Some(spec::EndpointAccess::Private) | None => "Private",
        }
        .to_owned(),
        services,
        endpoint,
        dns_zone,
        pull_secret,
        ssh_key: used(&settings.ssh_key),
        trust_bundle: used(&settings.trust_bundle),
        encryption_key: used(&settings.encryption_key),
        hosted_cluster_patch: patch(settings),
        node_pools,
        release,
        via,
        known,
    };
    for release in std::iter::once(&mut hosted.release)
        .chain(&mut hosted.via)
        .chain(&mut hosted.known)
        .chain(hosted.node_pools.values_mut().map(|pool| &mut pool.release))
    {
        if let Some(digest) = pin.releases.get(&release.version.to_string()) {
            let repository = settings.release_repository.as_deref().unwrap_or_default();
            release.image = format!("{repository}@{digest}");
        }
    }
    Some((ClusterKind::Hosted(Box::new(hosted)), pool_places))
}

fn availability_word(availability: spec::Availability) -> String {
    match availability {
        spec::Availability::High => "HighlyAvailable",
        spec::Availability::Single => "SingleReplica",
    }
    .to_owned()
}

fn secret_use(value: &spec::SecretUse, object_name: &str) -> Option<SecretUse> {
    let copy_from = value.from.as_deref().and_then(shared::secret_ref);
    let typed = value.name.as_ref().map(|name| name.replace("{cluster}", object_name));
    let name = typed.or_else(|| Some(copy_from.as_ref()?.name.clone()))?;
    Some(SecretUse { name, copy_from })
}

/// The raw patch, over what short names without a field in the model give.
fn patch(settings: &Settings) -> Value {
    let mut patch = serde_json::Map::new();
    match &settings.paused_until {
        Some(spec::PausedUntil::Flag(true)) => drop(patch.insert("pausedUntil".to_owned(), json!("true"))),
        Some(spec::PausedUntil::Time(time)) => drop(patch.insert("pausedUntil".to_owned(), json!(time))),
        Some(spec::PausedUntil::Flag(false)) | None => {}
    }
    patch.extend(settings.hosted_cluster.clone().unwrap_or_default());
    Value::Object(patch)
}
