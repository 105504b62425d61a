//! URLs as Go's `url.ParseRequestURI` takes them: absolute, or a path from the root.

use std::net::IpAddr;

/// The parts of a URL.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Url {
    pub(super) scheme: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: String,
}

pub(super) fn parse(text: &str) -> Option<Url> {
    if text.is_empty() || text.chars().any(|c| c.is_ascii_control()) {
        return None;
    }
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        Some(("", _)) => return None,
        _ => (String::new(), text),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !rest.starts_with('/') && scheme.is_empty() {
        return None;
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(authority) => authority.find('/').map_or((authority, ""), |at| authority.split_at(at)),
        None => ("", rest),
    };
    let host = authority.rsplit('@').next().unwrap_or(authority);
    (is_host(host) && has_whole_escapes(path)).then(|| Url {
        scheme,
        host: host.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
    })
}

impl Url {
    /// The host without its port.
    pub(super) fn hostname(&self) -> &str {
        match self.host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, _)) => name,
            None => self.host.rsplit_once(':').map_or(&self.host, |(name, _)| name),
        }
    }

    /// The port; empty where there is none.
    pub(super) fn port(&self) -> &str {
        let after = self
            .host
            .rsplit_once(']')
            .map_or(self.host.as_str(), |(_, after)| after);
        after.rsplit_once(':').map_or("", |(_, port)| port)
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) if name.parse::<IpAddr>().is_ok() => ("", rest.strip_prefix(':').unwrap_or(rest)),
        Some(_) => return false,
        None => host.rsplit_once(':').unwrap_or((host, "")),
    };
    port.bytes().all(|b| b.is_ascii_digit()) && !name.contains([' ', '"', '<', '>', '\\', '^', '`', '{', '|', '}'])
}

fn has_whole_escapes(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    })
}
