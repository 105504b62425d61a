//! Where a call goes: host and base path of each service in each region, and overrides of them.
//!
//! Invariant: the URL that is made here is the one that is signed and the one that is sent, character by character. May
//! depend on nothing but the table of regions.

use std::collections::BTreeMap;

use url::Url;

use super::api::Service;
use crate::redact::REDACTED;
use crate::resource::regions;

/// Why a call has no address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EndpointError {
    /// The region is not in the table.
    #[error("region `{0}` is not known: override the endpoint of {1:?} to use it")]
    UnknownRegion(String, Service),
    /// An override is no URL.
    #[error("`{url}` is no endpoint: {why}")]
    BadOverride {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The path would not be sent as it is written.
    #[error("`{0}` is no encoded path")]
    BadPath(String),
}

/// The endpoints of all services.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    overrides: BTreeMap<Service, String>,
}

impl Endpoints {
    /// Oracle's own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has a service's calls sent to another place: `scheme://host[:port][/prefix]`, to which the service's base path is
    /// appended; `{region}` stands for the region id.
    ///
    /// # Errors
    /// Where that is no URL, or one with a query.
    pub fn with(mut self, service: Service, url: &str) -> Result<Self, EndpointError> {
        let bad = |why| EndpointError::BadOverride {
            url: url.to_owned(),
            why,
        };
        let parsed = Url::parse(&url.replace("{region}", "region")).map_err(|_| bad("it can't be read as a URL"))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(bad("its scheme is neither https nor http"));
        }
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err(bad("it has no host"));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(bad("it has a query"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(EndpointError::BadOverride {
                url: REDACTED.to_owned(),
                why: "it has a user name or a password",
            });
        }
        self.overrides.insert(service, url.trim_end_matches('/').to_owned());
        Ok(self)
    }

    /// Has the calls of all services sent to one place.
    ///
    /// # Errors
    /// As [`Endpoints::with`].
    pub fn with_all(mut self, url: &str) -> Result<Self, EndpointError> {
        for service in Service::ALL {
            self = self.with(service, url)?;
        }
        Ok(self)
    }

    /// The whole URL of a call.
    ///
    /// # Errors
    /// Where the region isn't known, or the path isn't encoded.
    pub fn url(
        &self,
        service: Service,
        region: &str,
        path: &str,
        query: &[(&'static str, String)],
    ) -> Result<Url, EndpointError> {
        let root = match self.overrides.get(&service) {
            Some(root) => root.replace("{region}", region),
            None => format!("https://{}", host(service, region)?),
        };
        let mut text = format!("{root}{}{path}", service.base_path());
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        if !query.is_empty() {
            text = format!("{text}?{}", query.join("&"));
        }
        let url = Url::parse(&text).map_err(|_| EndpointError::BadPath(path.to_owned()))?;
        // A parser that would have to mend the path (dots, spaces) has been given something else than a path.
        if url.as_str() != text || !path.starts_with('/') || path.contains(['?', '#']) {
            return Err(EndpointError::BadPath(path.to_owned()));
        }
        Ok(url)
    }
}

/// The auth service's host of a region, where X.509 certificates are exchanged for tokens; none where the region isn't known.
pub(super) fn auth_host(region: &str) -> Option<String> {
    let known = regions::find(region)?;
    Some(format!("auth.{}.{}", known.id, regions::domain(known.realm)?))
}

fn host(service: Service, region: &str) -> Result<String, EndpointError> {
    let domain = regions::find(region)
        .filter(|known| known.id == region)
        .and_then(|known| regions::domain(known.realm))
        .ok_or_else(|| EndpointError::UnknownRegion(region.to_owned(), service))?;
    Ok(match service {
        Service::Core | Service::LoadBalancer | Service::WorkRequests => format!("iaas.{region}.{domain}"),
        Service::NetworkLoadBalancer => format!("network-load-balancer-api.{region}.oci.{domain}"),
        Service::Identity => format!("identity.{region}.oci.{domain}"),
        Service::Dns => format!("dns.{region}.oci.{domain}"),
    })
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 6] = [
        Self::Core,
        Self::NetworkLoadBalancer,
        Self::LoadBalancer,
        Self::Identity,
        Self::Dns,
        Self::WorkRequests,
    ];

    /// The API version that begins each path.
    pub fn base_path(self) -> &'static str {
        match self {
            Self::Core | Self::Identity | Self::WorkRequests => "/20160918",
            Self::NetworkLoadBalancer => "/20200501",
            Self::LoadBalancer => "/20170115",
            Self::Dns => "/20180115",
        }
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986: for a value in a query, or one segment of a path.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(service: Service, region: &str) -> Result<String, EndpointError> {
        Endpoints::new().url(service, region, "/x", &[]).map(String::from)
    }

    #[test]
    fn every_service_has_its_host_in_every_realm() {
        use Service::*;
        for (service, region, expected) in [
            (
                Core,
                "eu-frankfurt-1",
                "https://iaas.eu-frankfurt-1.oraclecloud.com/20160918/x",
            ),
            (
                LoadBalancer,
                "us-ashburn-1",
                "https://iaas.us-ashburn-1.oraclecloud.com/20170115/x",
            ),
            (
                WorkRequests,
                "us-luke-1",
                "https://iaas.us-luke-1.oraclegovcloud.com/20160918/x",
            ),
            (
                NetworkLoadBalancer,
                "uk-gov-london-1",
                "https://network-load-balancer-api.uk-gov-london-1.oci.oraclegovcloud.uk/20200501/x",
            ),
            (
                Identity,
                "eu-madrid-2",
                "https://identity.eu-madrid-2.oci.oraclecloud.eu/20160918/x",
            ),
            (
                Dns,
                "ap-chiyoda-1",
                "https://dns.ap-chiyoda-1.oci.oraclecloud8.com/20180115/x",
            ),
        ] {
            assert_eq!(url(service, region).unwrap(), expected);
        }
    }

    #[test]
    fn every_known_region_has_a_domain() {
        for region in regions::ids() {
            for service in Service::ALL {
                assert!(url(service, region).is_ok(), "{region}");
            }
        }
    }

    #[test]
    fn an_unknown_region_needs_an_override() {
        let error = url(Service::Core, "eu-nowhere-1").unwrap_err();
        assert!(error.to_string().contains("override"), "{error}");
        // A key is no region id: no host is named by it.
        assert!(url(Service::Core, "fra").is_err());
        let endpoints = Endpoints::new()
            .with(Service::Core, "https://iaas.{region}.example.com/")
            .unwrap();
        assert_eq!(
            endpoints
                .url(Service::Core, "eu-nowhere-1", "/vcns", &[])
                .unwrap()
                .as_str(),
            "https://iaas.eu-nowhere-1.example.com/20160918/vcns"
        );
        assert!(endpoints.url(Service::Dns, "eu-nowhere-1", "/zones", &[]).is_err());
    }

    #[test]
    fn overrides_that_make_no_endpoint_are_refused() {
        for bad in ["", "localhost:1", "ftp://x", "http://x/?a=b", "https://user:secret@x"] {
            let error = Endpoints::new().with_all(bad).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn queries_are_encoded_and_paths_are_not_mended() {
        let endpoints = Endpoints::new().with_all("http://127.0.0.1:1").unwrap();
        let query = [("compartmentId", "a b/ü".to_owned()), ("page", "x==&y+".to_owned())];
        assert_eq!(
            endpoints
                .url(Service::Core, "r", "/vcns/a%2Fb", &query)
                .unwrap()
                .as_str(),
            "http://127.0.0.1:1/20160918/vcns/a%2Fb?compartmentId=a%20b%2F%C3%BC&page=x%3D%3D%26y%2B"
        );
        for bad in [
            "/vcns/../drgs",
            "/vcns/a b",
            "/vcns?x=y",
            "vcns",
            "/vcns/%2e%2e/drgs",
            "/vcns#x",
        ] {
            let refused = endpoints.url(Service::Core, "r", bad, &[]);
            assert_eq!(refused, Err(EndpointError::BadPath(bad.to_owned())));
        }
    }
}
