//! Calls and answers: the shapes between the kinds of resource and the transport.

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::Value;

/// An OCI service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Networking and compute, `/20160918`.
    Core,
    /// Network load balancers, `/20200501`.
    NetworkLoadBalancer,
    /// Flexible load balancers, `/20170115`.
    LoadBalancer,
    /// Compartments, regions, availability domains, `/20160918`.
    Identity,
    /// Zones and records, `/20180115`.
    Dns,
    /// Work requests of the core services, `/20160918`.
    WorkRequests,
}

impl Service {
    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::NetworkLoadBalancer => "networkloadbalancer",
            Self::LoadBalancer => "loadbalancer",
            Self::Identity => "identity",
            Self::Dns => "dns",
            Self::WorkRequests => "workrequests",
        }
    }
}

/// Where and by whose credentials a call is made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// OCID of the tenancy; none: that of the default credentials.
    pub tenancy: Option<String>,
    /// Region id, `eu-frankfurt-1`.
    pub region: String,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The service.
    pub service: Service,
    /// Where.
    pub place: Place,
    /// The operation's name in OCI's reference, `CreateVcn`: for budgets, errors and counts.
    pub operation: &'static str,
    /// The method.
    pub method: http::Method,
    /// Path below the service's base path, segments already encoded: `/vcns/ocid1.vcn…`.
    pub path: String,
    /// Query parameters, not yet encoded.
    pub query: Vec<(&'static str, String)>,
    /// JSON body; none for a GET or DELETE.
    pub body: Option<Value>,
    /// `opc-retry-token`, at most 64 bytes.
    pub retry_token: Option<String>,
    /// `if-match`.
    pub if_match: Option<String>,
}

/// An answer with a status of success.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The JSON body; null where there is none.
    pub body: Value,
    /// `etag`.
    pub etag: Option<String>,
    /// `opc-next-page`.
    pub next_page: Option<String>,
    /// `opc-work-request-id`.
    pub work_request: Option<String>,
}

/// What sends one HTTP request and gives its answer, whatever its status: a socket, or the sandbox in this process.
pub trait Exchange: Send + Sync {
    /// Sends the request.
    fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Box<dyn std::error::Error + Send + Sync>>>;
}
