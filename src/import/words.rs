//! Whether a live value has a form that the fleet files take; what has not is left to a patch.

use ipnet::IpNet;
use serde_json::Value;

/// `8Gi`.
pub(super) fn is_size(text: &str) -> bool {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    !number.is_empty() && !number.starts_with('0') && matches!(unit, "Mi" | "Gi" | "Ti" | "M" | "G" | "T")
}

/// `1h30m`.
pub(super) fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        if number.is_empty() || !unit.starts_with(['h', 'm', 's']) {
            return false;
        }
        rest = &unit[1..];
    }
    !text.is_empty()
}

/// `VM.Standard.E5.Flex`.
pub(super) fn is_shape(text: &str) -> bool {
    let rest = text.strip_prefix("VM.").or_else(|| text.strip_prefix("BM."));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'))
}

/// Lower-case letters, digits and dashes, a letter or digit at both ends.
pub(super) fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// A host name with a dot in it.
pub(super) fn is_hostname(text: &str) -> bool {
    let top = text.rsplit_once('.').map_or("", |(_, top)| top);
    text.split('.').all(is_dns_label) && top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// A count, or a percentage up to a hundred.
pub(super) fn is_count_or_percent(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let number = text
                .strip_suffix('%')
                .filter(|number| *number == "0" || !number.starts_with('0'));
            number
                .and_then(|number| number.parse::<u8>().ok())
                .is_some_and(|number| number <= 100)
        }
        _ => value.as_u64().is_some_and(|count| u32::try_from(count).is_ok()),
    }
}

/// An address range written in the one way in which it is rendered again.
pub(super) fn is_range(text: &str) -> bool {
    text.parse::<IpNet>()
        .is_ok_and(|net| net.trunc() == net && net.to_string() == text)
}

/// Whether it can be the key and the value of a label.
pub(super) fn is_label(key: &str, value: &str) -> bool {
    let name_of = |text: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let edge = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
        text.len() <= 63 && text.bytes().all(inner) && edge(text.bytes().next()) && edge(text.bytes().next_back())
    };
    let (domain, name) = match key.rsplit_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    let domain_fits = domain.is_none_or(|domain| domain.len() <= 253 && domain.split('.').all(is_dns_label));
    !name.is_empty() && name_of(name) && domain_fits && name_of(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_that_the_files_take() {
        assert!(is_size("8Gi") && !is_size("08Gi") && !is_size("8") && !is_size("Gi") && !is_size("8ki"));
        assert!(
            is_duration("1h30m") && is_duration("90s") && !is_duration("") && !is_duration("1d") && !is_duration("h")
        );
        assert!(!is_duration("1é"));
        assert!(is_shape("VM.GPU.A10.1") && !is_shape("VM.") && !is_shape("m5.large"));
        assert!(is_hostname("api.a.example") && !is_hostname("api") && !is_hostname("a..b") && !is_hostname("a.b.1"));
        assert!(is_range("10.0.0.0/16") && !is_range("10.0.0.1/16") && !is_range("10.0.0.0") && is_range("fd00::/48"));
        assert!(is_label("a.b/c", "") && !is_label("/c", "") && !is_label("c", "not one") && !is_label("", "x"));
        for (value, fits) in [
            (json!(3), true),
            (json!("10%"), true),
            (json!("0%"), true),
            (json!("010%"), false),
            (json!("101%"), false),
            (json!(-1), false),
            (json!("3"), false),
            (json!(1.5), false),
            (json!(null), false),
        ] {
            assert_eq!(is_count_or_percent(&value), fits, "{value}");
        }
    }
}
