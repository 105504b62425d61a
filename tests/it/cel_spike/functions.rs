//! The functions of Kubernetes' CEL environment that the CRDs call, beside those that the crate brings.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;

use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelMapKey, CelString, Type};
use cel::common::value::{StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use ipnet::IpNet;
use regex::Regex;

/// Declares a value type of its own that CEL expressions can hold.
macro_rules! opaque {
    ($name:ident, $inner:ty, $cel:literal) => {
        #[derive(Debug, Clone, PartialEq)]
        struct $name($inner);

        impl Val for $name {
            fn get_type(&self) -> &Type {
                <Self as Val>::cel_type()
            }
            fn cel_type() -> &'static Type {
                static TYPE: Type = Type::new_unspecified_type($cel);
                &TYPE
            }
            fn equals(&self, other: &dyn Val) -> bool {
                other.downcast_ref::<$name>().is_some_and(|other| other == self)
            }
            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
                Box::new(self.clone())
            }
            fn as_any(&self) -> Option<&dyn Any> {
                Some(self)
            }
        }
        impl StaticVal for $name {}
    };
}

opaque!(Ip, IpAddr, "net.IP");
opaque!(Cidr, IpNet, "net.CIDR");
opaque!(Url, UrlParts, "kubernetes.URL");
opaque!(Seconds, i64, "google.protobuf.Duration");

#[derive(Debug, Clone, PartialEq)]
struct UrlParts {
    scheme: String,
    host: String,
    path: String,
    query: String,
}

/// The environment in which CRD rules are compiled.
pub(super) fn environment() -> Result<Env, DeclarationError> {
    let mut env = Env::stdlib();
    cel::extensions::strings(&mut env)?;
    cel::extensions::lists(&mut env)?;
    cel::add_overload!(env, fn matches: (CelString, CelString) -> Result<CelBool>, name = "matches")?;
    cel::add_member_overload!(env, fn matches: (CelString, CelString) -> Result<CelBool>, name = "matches")?;
    cel::add_member_overload!(env, fn find: (CelString, CelString) -> Result<CelString>)?;
    cel::add_member_overload!(env, fn find_all: (CelString, CelString) -> Result<CelList>)?;
    cel::add_overload!(env, fn is_ip: (CelString) -> CelBool, name = "isIP")?;
    cel::add_overload!(env, fn ip: (CelString) -> Result<Ip>)?;
    cel::add_member_overload!(env, fn family: (Ip) -> CelInt)?;
    cel::add_overload!(env, fn is_cidr: (CelString) -> CelBool, name = "isCIDR")?;
    cel::add_overload!(env, fn cidr: (CelString) -> Result<Cidr>)?;
    cel::add_member_overload!(env, fn cidr_ip: (Cidr) -> Ip, name = "ip")?;
    cel::add_member_overload!(env, fn prefix_length: (Cidr) -> CelInt)?;
    cel::add_member_overload!(env, fn contains_ip: (Cidr, CelString) -> Result<CelBool>, name = "containsIP")?;
    cel::add_member_overload!(env, fn contains_cidr: (Cidr, CelString) -> Result<CelBool>, name = "containsCIDR")?;
    cel::add_overload!(env, fn is_url: (CelString) -> CelBool, name = "isURL")?;
    cel::add_overload!(env, fn url: (CelString) -> Result<Url>)?;
    cel::add_member_overload!(env, fn get_scheme: (Url) -> CelString)?;
    cel::add_member_overload!(env, fn get_host: (Url) -> CelString)?;
    cel::add_member_overload!(env, fn get_escaped_path: (Url) -> CelString)?;
    cel::add_member_overload!(env, fn get_query: (Url) -> CelMap)?;
    cel::add_overload!(env, fn duration: (CelString) -> Result<Seconds>)?;
    cel::add_member_overload!(env, fn get_seconds: (Seconds) -> CelInt)?;
    Ok(env)
}

thread_local! {
    /// Compiling a pattern costs a hundred times what matching it does, and a CRD has few patterns.
    static COMPILED: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) };
}

fn with_regex<T>(pattern: &str, then: impl FnOnce(&Regex) -> T) -> Result<T, ExecutionError> {
    COMPILED.with_borrow_mut(|compiled| {
        if let Some(regex) = compiled.get(pattern) {
            return Ok(then(regex));
        }
        let regex = go_regex(pattern).map_err(|error| ExecutionError::function_error("matches", error))?;
        let value = then(&regex);
        compiled.insert(pattern.to_owned(), regex);
        Ok(value)
    })
}

/// A pattern in Go's dialect. The two differ in what `\d`, `\w` and `\s` mean (ASCII in Go), and in characters that this
/// dialect gives a meaning within brackets: `[`, `&&`, `--`, `~~`.
pub(super) fn go_regex(pattern: &str) -> Result<Regex, regex::Error> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    let mut class_start = false;
    while let Some(c) = chars.next() {
        let was_start = std::mem::take(&mut class_start);
        match c {
            '\\' => match chars.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str("[0-9A-Za-z_]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('s') => out.push_str("[\\t\\n\\f\\r ]"),
                Some('S') => out.push_str("[^\\t\\n\\f\\r ]"),
                Some('b') => out.push_str("(?-u:\\b)"),
                // Go takes any escaped punctuation as itself; so does this dialect for what is ASCII.
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            '[' if in_class => out.push_str(if chars.peek() == Some(&':') { "[" } else { "\\[" }),
            '[' => {
                in_class = true;
                class_start = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    out.extend(chars.next());
                }
            }
            ']' if in_class && was_start => out.push_str("\\]"),
            ']' if in_class && out.ends_with(':') => out.push(']'),
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    Regex::new(&out)
}

fn matches(this: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    with_regex(pattern.inner(), |regex| CelBool::from(regex.is_match(this.inner())))
}

fn find(this: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    with_regex(pattern.inner(), |regex| {
        regex
            .find(this.inner())
            .map_or_else(String::new, |found| found.as_str().to_owned())
            .into()
    })
}

fn find_all(this: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelList<'static>, ExecutionError> {
    with_regex(pattern.inner(), |regex| {
        let found: Vec<Box<dyn Val>> = regex
            .find_iter(this.inner())
            .map(|found| Box::new(CelString::from(found.as_str().to_owned())) as Box<dyn Val>)
            .collect();
        CelList::from(found)
    })
}

/// As Go's netip and Kubernetes' library: no zone, no IPv4 within IPv6.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let ip: IpAddr = text.parse().ok()?;
    match ip {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => None,
        IpAddr::V4(_) | IpAddr::V6(_) => Some(ip),
    }
}

fn parse_cidr(text: &str) -> Option<IpNet> {
    let (ip, length) = text.split_once('/')?;
    parse_ip(ip)?;
    // `/08` and `/+8` are numbers to Rust, and no lengths.
    let plain = length == "0" || (!length.starts_with('0') && length.bytes().all(|b| b.is_ascii_digit()));
    if plain { text.parse().ok() } else { None }
}

fn is_ip(text: &CelString<'_>) -> CelBool {
    parse_ip(text.inner()).is_some().into()
}

fn ip(text: &CelString<'_>) -> Result<Ip, ExecutionError> {
    parse_ip(text.inner())
        .map(Ip)
        .ok_or_else(|| ExecutionError::function_error("ip", "no IP address"))
}

fn family(ip: &Ip) -> CelInt {
    CelInt::from(if ip.0.is_ipv4() { 4 } else { 6 })
}

fn is_cidr(text: &CelString<'_>) -> CelBool {
    parse_cidr(text.inner()).is_some().into()
}

fn cidr(text: &CelString<'_>) -> Result<Cidr, ExecutionError> {
    parse_cidr(text.inner())
        .map(Cidr)
        .ok_or_else(|| ExecutionError::function_error("cidr", "no CIDR"))
}

fn cidr_ip(cidr: &Cidr) -> Ip {
    Ip(cidr.0.addr())
}

fn prefix_length(cidr: &Cidr) -> CelInt {
    CelInt::from(i64::from(cidr.0.prefix_len()))
}

fn contains_ip(cidr: &Cidr, other: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    Ok(cidr.0.contains(&ip(other)?.0).into())
}

fn contains_cidr(this: &Cidr, other: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    Ok(this.0.contains(&cidr(other)?.0).into())
}

/// As Go's `url.ParseRequestURI`: absolute, or a path from the root.
fn parse_url(text: &str) -> Option<UrlParts> {
    if text.is_empty() || text.chars().any(|c| c.is_ascii_control()) {
        return None;
    }
    let before_fragment = text.split('#').next().unwrap_or(text);
    let (scheme, rest) = match before_fragment.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        Some(("", _)) => return None,
        _ => (String::new(), before_fragment),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !rest.starts_with('/') && scheme.is_empty() {
        return None;
    }
    let (host, path) = match rest.strip_prefix("//") {
        Some(authority) => authority.find('/').map_or((authority, ""), |at| authority.split_at(at)),
        None => ("", rest),
    };
    if !is_host(host.rsplit('@').next().unwrap_or(host)) || !has_whole_escapes(path) {
        return None;
    }
    Some(UrlParts {
        scheme,
        host: host.rsplit('@').next().unwrap_or(host).to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
    })
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) if parse_ip(name).is_some() => ("", rest.strip_prefix(':').unwrap_or(rest)),
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

fn is_url(text: &CelString<'_>) -> CelBool {
    parse_url(text.inner()).is_some().into()
}

fn url(text: &CelString<'_>) -> Result<Url, ExecutionError> {
    parse_url(text.inner())
        .map(Url)
        .ok_or_else(|| ExecutionError::function_error("url", "no URL"))
}

fn get_scheme(url: &Url) -> CelString<'static> {
    url.0.scheme.clone().into()
}

fn get_host(url: &Url) -> CelString<'static> {
    url.0.host.clone().into()
}

fn get_escaped_path(url: &Url) -> CelString<'static> {
    url.0.path.clone().into()
}

#[expect(
    clippy::disallowed_types,
    reason = "what the crate's map is made of; no order of it is seen"
)]
fn get_query(url: &Url) -> CelMap<'static> {
    let mut query: std::collections::HashMap<CelMapKey<'static>, Box<dyn Val>> = std::collections::HashMap::new();
    let mut values: BTreeMap<&str, Vec<Box<dyn Val>>> = BTreeMap::new();
    for pair in url.0.query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        values
            .entry(key)
            .or_default()
            .push(Box::new(CelString::from(value.to_owned())));
    }
    for (key, values) in values {
        query.insert(key.to_owned().into(), Box::new(CelList::from(values)));
    }
    CelMap::from(query)
}

/// As Go's `time.ParseDuration`, in whole seconds.
fn duration(text: &CelString<'_>) -> Result<Seconds, ExecutionError> {
    parse_duration(text.inner())
        .map(Seconds)
        .ok_or_else(|| ExecutionError::function_error("duration", "no duration"))
}

pub(super) fn parse_duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let (unit, next) = after.split_at(
            after
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(after.len()),
        );
        let scale = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * scale;
        rest = next;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and whole seconds are what is wanted"
    )]
    Some((sign * seconds) as i64)
}

fn get_seconds(duration: &Seconds) -> CelInt {
    CelInt::from(duration.0)
}
