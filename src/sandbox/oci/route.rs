//! Which operation a method and a path are.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::call::{Call, Reply};
use super::kind::Kind;
use super::refusal::Refusal;
use super::state::State;

/// What does an operation.
pub(super) type Run = fn(&mut State, &Call) -> Result<Reply, Refusal>;

/// One operation.
pub(super) struct Route {
    pub(super) method: &'static str,
    /// `vcns/{}`, below the service's base path.
    path: &'static str,
    /// OCI's name of it.
    pub(super) operation: &'static str,
    pub(super) kind: &'static Kind,
    pub(super) run: Run,
}

impl Route {
    /// Whether it changes anything.
    pub(super) fn writes(&self) -> bool {
        self.method != "GET"
    }
}

pub(super) const fn route(
    method: &'static str,
    path: &'static str,
    operation: &'static str,
    kind: &'static Kind,
    run: Run,
) -> Route {
    Route {
        method,
        path,
        operation,
        kind,
        run,
    }
}

/// A table of operations: method, path, OCI's name, kind, what does it.
macro_rules! routes {
    ($($method:ident $path:literal $operation:ident $kind:ident $run:path;)*) => {
        &[$($crate::sandbox::oci::route::route(stringify!($method), $path, stringify!($operation), &$kind, $run)),*]
    };
}
pub(super) use routes;

/// Routes by base path and first segment.
static TABLE: LazyLock<BTreeMap<(&str, &str), Vec<&'static Route>>> = LazyLock::new(|| {
    let mut table: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (base, routes) in super::services() {
        for route in *routes {
            let first = route.path.split('/').next().unwrap_or_default();
            table.entry((*base, first)).or_default().push(route);
        }
    }
    table
});

/// The operation of a method and a path (percent-encoding undone segment by segment), and what stands in its places.
pub(super) fn find(method: &str, segments: &[String]) -> Result<(&'static Route, Vec<String>), Refusal> {
    let [base, rest @ ..] = segments else {
        return Err(Refusal::unknown_operation("there is nothing at /"));
    };
    let first = rest.first().map_or("", String::as_str);
    let candidates = TABLE.get(&(base.as_str(), first)).map_or(&[][..], Vec::as_slice);
    let mut other_method = false;
    for route in candidates {
        if let Some(params) = places(route.path, rest) {
            if route.method == method {
                return Ok((route, params));
            }
            other_method = true;
        }
    }
    let path = segments.join("/");
    Err(if other_method {
        Refusal::method(format!("/{path} does not take {method}"))
    } else {
        Refusal::unknown_operation(format!("the sandbox has no operation {method} /{path}"))
    })
}

fn places(template: &str, segments: &[String]) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let mut parts = template.split('/');
    for segment in segments {
        match parts.next()? {
            "{}" => params.push(segment.clone()),
            literal if literal == segment => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_itself() {
        for (base, routes) in super::super::services() {
            for route in *routes {
                let segments: Vec<_> = std::iter::once(*base)
                    .chain(route.path.split('/'))
                    .map(str::to_owned)
                    .collect();
                let (found, _) = find(route.method, &segments).unwrap();
                assert_eq!(found.operation, route.operation, "{base}/{}", route.path);
            }
        }
    }
}
