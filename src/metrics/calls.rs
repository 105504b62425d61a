//! Calls to control planes.

use std::time::Duration;

use super::Registry;
use super::catalog::{KUBERNETES_REQUESTS, KUBERNETES_SECONDS, OCI_CALLS, OCI_SECONDS};

impl Registry {
    /// A request to an API server came to its end; without a code where no answer came.
    pub fn kubernetes_request(&self, verb: &str, code: Option<u16>, time: Duration) {
        self.count(&KUBERNETES_REQUESTS, [verb, &text(code)], 1.0);
        self.observe(&KUBERNETES_SECONDS, [verb], time);
    }

    /// A call to OCI came to its end; without a code where no answer came.
    pub fn oci_call(&self, service: &str, operation: &str, code: Option<u16>, time: Duration) {
        let result = match code {
            Some(200..=299) => "success",
            Some(429) => "throttled",
            Some(400..=499) => "refused",
            Some(_) | None => "error",
        };
        self.count(&OCI_CALLS, [operation, result, &text(code)], 1.0);
        self.observe(&OCI_SECONDS, [service], time);
    }
}

fn text(code: Option<u16>) -> String {
    code.map_or_else(|| "none".to_owned(), |code| code.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart_by_what_they_came_to() {
        let registry = Registry::default();
        for code in [Some(200), Some(204), Some(429), Some(404), Some(500), None] {
            registry.oci_call("core", "ListVcns", code, Duration::ZERO);
        }
        registry.kubernetes_request("PATCH", None, Duration::ZERO);
        let text = registry.text();
        for (result, code) in [
            ("success", "204"),
            ("throttled", "429"),
            ("refused", "404"),
            ("error", "none"),
        ] {
            let line = format!(
                "hypershift_oci_api_calls_total{{operation=\"ListVcns\",result=\"{result}\",code=\"{code}\"}} 1\n"
            );
            assert!(text.contains(&line), "{text}");
        }
        assert!(text.contains("fleetwright_kubernetes_requests_total{verb=\"PATCH\",code=\"none\"} 1\n"));
    }
}
