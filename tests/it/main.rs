//! The one integration-test binary: linking is what costs.

#[cfg(test)]
mod kube_provider;
#[cfg(test)]
mod kube_support;
#[cfg(test)]
#[allow(dead_code, reason = "each test uses the part of the support that it needs")]
mod support;
