//! The parts of a resource quantity: `1Gi`, `500m`, `0.5`, `2e3`.
//!
//! Invariant: says what is written and not what it means: rounding, comparison and what else is text are the caller's.

/// `mantissa × 2^twos × 10^tens`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantity {
    /// The digits without their point, with the sign.
    pub(crate) mantissa: i128,
    /// Of a binary unit: 10 for `Ki`.
    pub(crate) twos: u32,
    /// Of a decimal unit or an exponent, less the digits behind the point.
    pub(crate) tens: i32,
}

/// Reads one. None for what is no quantity, or has more digits than can be held.
pub(crate) fn parse(text: &str) -> Option<Quantity> {
    let end = text
        .find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (mantissa, behind) = decimal(number)?;
    let (twos, tens): (u32, i32) = match unit {
        "" => (0, 0),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        exponent => (0, exponent.strip_prefix(['e', 'E'])?.parse::<i16>().ok()?.into()),
    };
    Some(Quantity {
        mantissa,
        twos,
        tens: tens - behind,
    })
}

/// Digits without their point, and how many stood behind it.
pub(crate) fn decimal(text: &str) -> Option<(i128, i32)> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let mut mantissa: i128 = 0;
    for digit in whole.chars().chain(part.chars()) {
        let digit = i128::from(digit.to_digit(10)?);
        mantissa = mantissa.checked_mul(10)?.checked_add(digit)?;
    }
    Some((sign * mantissa, i32::try_from(part.len()).ok()?))
}
