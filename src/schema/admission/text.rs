//! Values as Go prints them.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// A text in double quotes, as `%q` does it.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => drop(write!(out, "\\x{:02x}", u32::from(c))),
            // What can't be printed elsewhere: the controls of Latin-1, separators, private use. The rest is taken for
            // printable.
            c if is_hidden(c) && u32::from(c) > 0xffff => drop(write!(out, "\\U{:08x}", u32::from(c))),
            c if is_hidden(c) => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(u32::from(c), 0xad | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xe000..=0xf8ff | 0xfeff | 0xf_0000..)
}

/// A number, as `%v` does it.
pub(super) fn number(value: &Number) -> String {
    if value.is_i64() || value.is_u64() {
        return value.to_string();
    }
    float(value.as_f64().unwrap_or_default())
}

/// A float, as `%v` does it: the shortest text, with an exponent where that is below -4 or from 21 on.
pub(super) fn float(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..21).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Makes whole floats the integers that they are read back as: JSON has no point in them once it is written by Go.
pub(super) fn settle_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            if float.fract() == 0.0 && float.abs() < 9.2e18 {
                #[expect(clippy::cast_possible_truncation, reason = "whole, and within the range")]
                let integer = float as i64;
                *value = integer.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(settle_numbers),
        Value::Object(entries) => entries.values_mut().for_each(settle_numbers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A value as JSON: keys sorted, and what HTML gives a meaning escaped.
pub(super) fn json_text(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Number(plain) if !(plain.is_i64() || plain.is_u64()) => {
            let plain = plain.as_f64().unwrap_or_default();
            let magnitude = plain.abs();
            if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
                out.push_str(&float(plain).replace("e-0", "e-"));
            } else {
                out.push_str(&plain.to_string());
            }
        }
        Value::String(text) => write_json_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            for (i, (name, entry)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json_text(name, out);
                out.push(':');
                write_json(entry, out);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => drop(write!(out, "{value}")),
    }
}

fn write_json_text(text: &str, out: &mut String) {
    let plain = Value::from(text).to_string();
    for c in plain.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prints_as_go_does() {
        assert_eq!(quote("a\"b\\\n\u{1}é\u{a0}"), r#""a\"b\\\n\x01é\u00a0""#);
        assert_eq!(float(1.0), "1");
        assert_eq!(float(0.1), "0.1");
        assert_eq!(float(1e21), "1e+21");
        assert_eq!(float(123_456_789.5), "123456789.5");
        assert_eq!(float(0.000_01), "1e-05");
        assert_eq!(
            json_text(&json!({"b": 1.0, "a": ["<", null]})),
            r#"{"a":["\u003c",null],"b":1}"#
        );
    }
}
