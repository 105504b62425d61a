//! Kubernetes: management clusters' API servers.
