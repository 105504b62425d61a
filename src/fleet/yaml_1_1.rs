//! Plain scalars as kubectl and API servers read them: YAML 1.1 by way of Go, in which `yes` is true, `010` is eight and
//! a whole number stays one however it is written.

use super::node::Yaml;

pub(super) fn plain_scalar(text: &str) -> Yaml {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Yaml::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Yaml::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Yaml::Bool(false);
        }
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Yaml::Str(text.into());
    }
    let digits = text.replace('_', "");
    if let Some(whole) = integer(&digits) {
        return Yaml::Int(whole);
    }
    match is_float(&digits).then(|| digits.parse::<f64>()) {
        Some(Ok(number)) if number.is_finite() => match whole(number) {
            Some(whole) => Yaml::Int(whole),
            None => Yaml::Float(number, text.into()),
        },
        _ => Yaml::Str(text.into()),
    }
}

/// A float that JSON writes without a point or an exponent.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 || number.abs() > EXACT {
        return None;
    }
    format!("{number:.0}").parse().ok()
}

fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    // A second sign is none of a number's.
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let sound = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    sound && exponent.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fleet::node::{Node, Place};

    fn json_of(text: &str) -> Value {
        let place = Place {
            file: 0,
            line: 1,
            column: 1,
            start: 0,
            end: 0,
        };
        let value = plain_scalar(text);
        Node { place, value }.to_json()
    }

    #[test]
    fn reads_as_go_does() {
        let expected = [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("~", json!(null)),
            ("010", json!(8)),
            ("0o10", json!(8)),
            ("0x1F", json!(31)),
            ("-0b11", json!(-3)),
            ("1_000", json!(1000)),
            ("3.0", json!(3)),
            ("1e3", json!(1000)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("08", json!(8)),
            ("4.20.1", json!("4.20.1")),
            ("2026-01-01", json!("2026-01-01")),
            ("1:30", json!("1:30")),
            ("--1", json!("--1")),
            ("0x", json!("0x")),
            ("yess", json!("yess")),
            ("1e999", json!("1e999")),
        ];
        for (text, value) in expected {
            assert_eq!(json_of(text), value, "{text}");
        }
    }
}
