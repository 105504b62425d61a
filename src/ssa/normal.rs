//! Normal forms: which spellings of a value mean the same, where the schema says what a value is.

use serde_json::Value;

use super::value::equal;
use crate::schema::{Normal, quantity};

/// Whether two values of one place mean the same.
pub fn same(normal: Normal, a: &Value, b: &Value) -> bool {
    if equal(a, b) {
        return true;
    }
    match normal {
        Normal::Exact => false,
        Normal::Quantity => matches!((amount(a), amount(b)), (Some(a), Some(b)) if a == b),
        Normal::Duration => matches!((duration(a), duration(b)), (Some(a), Some(b)) if a == b),
        // By the text, and not by the amount: "08" names something that 8 doesn't.
        Normal::IntOrString => matches!((plain(a), plain(b)), (Some(a), Some(b)) if a == b),
    }
}

/// `mantissa × 2^twos × 10^tens`, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Amount {
    mantissa: i128,
    twos: i32,
    tens: i32,
}

impl Amount {
    /// None where it can't be held.
    fn new(mantissa: i128, twos: i32, tens: i32) -> Option<Self> {
        if mantissa == 0 {
            return Some(Self {
                mantissa,
                twos: 0,
                tens: 0,
            });
        }
        // 10 is 2 × 5: all twos are counted together, so that each amount has one form.
        let (mut mantissa, mut twos, mut fives) = (mantissa, twos.checked_add(tens)?, tens);
        while mantissa % 2 == 0 {
            mantissa /= 2;
            twos = twos.checked_add(1)?;
        }
        while mantissa % 5 == 0 {
            mantissa /= 5;
            fives = fives.checked_add(1)?;
        }
        Some(Self {
            mantissa,
            twos,
            tens: fives,
        })
    }
}

/// The amount of a resource quantity: `1Gi`, `500m`, `0.5`, `2e3`, `3`.
fn amount(value: &Value) -> Option<Amount> {
    let quantity = quantity::parse(&plain(value)?)?;
    Amount::new(quantity.mantissa, quantity.twos.try_into().ok()?, quantity.tens)
}

/// Nanoseconds of a duration as Go writes it: `1h0m0s`, `1.5h`, `250ms`.
fn duration(value: &Value) -> Option<i128> {
    let text = value.as_str()?;
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let (mantissa, scale) = quantity::decimal(number)?;
        let nanos: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let divisor = 10_i128.checked_pow(u32::try_from(scale).ok()?)?;
        total = total.checked_add(mantissa.checked_mul(nanos)? / divisor)?;
        rest = tail;
    }
    Some(sign * total)
}

/// A string, or a number as one.
fn plain(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_alike_by_amount() {
        for (a, b) in [
            ("1Gi", "1024Mi"),
            ("0.5", "500m"),
            ("1k", "1000"),
            ("2e3", "2k"),
            ("1.50", "1500m"),
            ("0", "0Gi"),
        ] {
            assert!(same(Normal::Quantity, &json!(a), &json!(b)), "{a} {b}");
            assert!(!same(Normal::Exact, &json!(a), &json!(b)), "{a} {b}");
        }
        assert!(same(Normal::Quantity, &json!(2), &json!("2000m")));
        for (a, b) in [
            ("1Gi", "1G"),
            ("1", "1m"),
            ("", "0"),
            ("x", "y"),
            ("-1", "1"),
            ("1e99999", "1"),
        ] {
            assert!(!same(Normal::Quantity, &json!(a), &json!(b)), "{a} {b}");
        }
    }

    #[test]
    fn durations_are_alike_by_length() {
        for (a, b) in [("60m", "1h0m0s"), ("1.5h", "90m"), ("0", "0s"), ("1000ms", "1s")] {
            assert!(same(Normal::Duration, &json!(a), &json!(b)), "{a} {b}");
        }
        for (a, b) in [("1m", "1ms"), ("1", "1s"), ("", "0s"), ("h", "0s"), ("1h1", "1h")] {
            assert!(!same(Normal::Duration, &json!(a), &json!(b)), "{a} {b}");
        }
    }

    #[test]
    fn an_int_is_its_text_where_either_may_stand() {
        assert!(same(Normal::IntOrString, &json!(80), &json!("80")));
        assert!(!same(Normal::IntOrString, &json!(8), &json!("08")));
        assert!(!same(Normal::Exact, &json!(80), &json!("80")));
    }
}
