//! The formats of texts that a server checks; of all others it takes any text.

use std::net::{IpAddr, Ipv6Addr};

/// A format of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    BsonObjectId,
    Uri,
    Email,
    Hostname,
    Ipv4,
    Ipv6,
    Cidr,
    Mac,
    Uuid,
    Uuid3,
    Uuid4,
    Uuid5,
    Isbn,
    Isbn10,
    Isbn13,
    CreditCard,
    Ssn,
    HexColor,
    RgbColor,
    Byte,
    Password,
    Date,
    Duration,
    DateTime,
    ShortName,
    LongName,
}

impl Format {
    /// The format of a name, dashes in which don't matter; none where a server doesn't check it.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name.replace('-', "").as_str() {
            "bsonobjectid" => Self::BsonObjectId,
            "uri" => Self::Uri,
            "email" => Self::Email,
            "hostname" => Self::Hostname,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "cidr" => Self::Cidr,
            "mac" => Self::Mac,
            "uuid" => Self::Uuid,
            "uuid3" => Self::Uuid3,
            "uuid4" => Self::Uuid4,
            "uuid5" => Self::Uuid5,
            "isbn" => Self::Isbn,
            "isbn10" => Self::Isbn10,
            "isbn13" => Self::Isbn13,
            "creditcard" => Self::CreditCard,
            "ssn" => Self::Ssn,
            "hexcolor" => Self::HexColor,
            "rgbcolor" => Self::RgbColor,
            "byte" => Self::Byte,
            "password" => Self::Password,
            "date" => Self::Date,
            "duration" => Self::Duration,
            "datetime" => Self::DateTime,
            "k8sshortname" => Self::ShortName,
            "k8slongname" => Self::LongName,
            _ => return None,
        })
    }

    pub(super) fn accepts(self, text: &str) -> bool {
        match self {
            Self::BsonObjectId => text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit()),
            Self::Uri => super::url::parse(text).is_some(),
            Self::Email => is_email(text),
            Self::Hostname => is_hostname(text),
            Self::Ipv4 => is_ipv4(text),
            Self::Ipv6 => is_ipv6(text),
            Self::Cidr => is_cidr(text),
            Self::Mac => is_mac(text),
            Self::Uuid => is_uuid(text, None),
            Self::Uuid3 => is_uuid(text, Some(b'3')),
            Self::Uuid4 => is_uuid(text, Some(b'4')),
            Self::Uuid5 => is_uuid(text, Some(b'5')),
            Self::Isbn => is_isbn10(text) || is_isbn13(text),
            Self::Isbn10 => is_isbn10(text),
            Self::Isbn13 => is_isbn13(text),
            Self::CreditCard => is_credit_card(text),
            Self::Ssn => is_ssn(text),
            Self::HexColor => is_hex_color(text),
            Self::RgbColor => is_rgb_color(text),
            Self::Byte => is_base64(text),
            Self::Password => true,
            Self::Date => is_date(text),
            Self::Duration => duration(text).is_some(),
            Self::DateTime => is_date_time(text),
            Self::ShortName => text.len() <= 63 && is_label(text),
            Self::LongName => text.len() <= 253 && text.split('.').all(is_label),
        }
    }
}

fn is_label(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(fits) && !text.starts_with('-') && !text.ends_with('-')
}

/// An address as a mail's header has it, a display name before it allowed; quoted local parts and comments are not known.
fn is_email(text: &str) -> bool {
    let address = match text.trim().strip_suffix('>') {
        Some(rest) => match rest.rsplit_once('<') {
            Some((_, address)) => address,
            None => return false,
        },
        None => text.trim(),
    };
    let is_atom = |part: &str| {
        let fits = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        !part.is_empty() && part.chars().all(fits)
    };
    address
        .rsplit_once('@')
        .is_some_and(|(local, domain)| local.split('.').all(is_atom) && domain.split('.').all(is_atom))
}

fn is_hostname(text: &str) -> bool {
    // Letters and symbols of any script are taken; what Unicode calls a symbol is guessed at by exclusion.
    let in_name = |c: char| c.is_ascii_alphanumeric() || (!c.is_ascii() && !c.is_whitespace() && !c.is_control());
    let is_part = |part: &str| {
        part.len() <= 63
            && part.starts_with(in_name)
            && part.ends_with(in_name)
            && part.chars().all(|c| in_name(c) || c == '-')
    };
    if text.len() > 255 {
        return false;
    }
    match text.rsplit_once('.') {
        None => is_part(text) && !text.contains("--"),
        Some((rest, last)) => {
            let letters = last.chars().count();
            rest.split('.').all(is_part) && (2..=63).contains(&letters) && last.chars().all(char::is_alphabetic)
        }
    }
}

/// Four numbers, leading zeros allowed.
fn ipv4_sloppy(text: &str) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        *octet = part
            .trim_start_matches('0')
            .parse()
            .ok()
            .or(Some(0).filter(|_| plain && part.bytes().all(|b| b == b'0')))?;
        if !plain {
            return None;
        }
    }
    parts.next().is_none().then_some(octets)
}

fn ip_sloppy(text: &str) -> Option<IpAddr> {
    if let Some(octets) = ipv4_sloppy(text) {
        return Some(octets.into());
    }
    text.parse::<Ipv6Addr>().ok().map(IpAddr::from)
}

fn is_ipv4(text: &str) -> bool {
    // An IPv6 address that ends as an IPv4 one has a dot too, and passes.
    text.contains('.') && ip_sloppy(text).is_some()
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let most = match ip_sloppy(address) {
        Some(IpAddr::V4(_)) => 32,
        Some(IpAddr::V6(_)) => 128,
        None => return false,
    };
    length.bytes().all(|b| b.is_ascii_digit()) && length.parse::<u8>().is_ok_and(|length| length <= most)
}

fn is_mac(text: &str) -> bool {
    let hex = |part: &str, size: usize| part.len() == size && part.bytes().all(|b| b.is_ascii_hexdigit());
    let all = |separator: char, size: usize, counts: &[usize]| {
        let parts: Vec<&str> = text.split(separator).collect();
        counts.contains(&parts.len()) && parts.iter().all(|part| hex(part, size))
    };
    all(':', 2, &[6, 8, 20]) || all('-', 2, &[6, 8, 20]) || all('.', 4, &[3, 4, 10])
}

fn is_uuid(text: &str, version: Option<u8>) -> bool {
    let mut digits = Vec::with_capacity(32);
    for b in text.bytes() {
        match b {
            // A dash may stand between the groups, each on its own.
            b'-' if matches!(digits.len(), 8 | 12 | 16 | 20) => {}
            b if b.is_ascii_hexdigit() => digits.push(b.to_ascii_lowercase()),
            _ => return false,
        }
    }
    if digits.len() != 32 || text.contains("--") || text.ends_with('-') {
        return false;
    }
    let Some(version) = version else { return true };
    let variant = matches!(digits.get(16), Some(b'8' | b'9' | b'a' | b'b'));
    digits.get(12) == Some(&version) && (version == b'3' || variant)
}

fn without_spaces_and_dashes(text: &str) -> Vec<u8> {
    let dropped = |b: &u8| !matches!(b, b'-' | b' ' | b'\t' | b'\n' | b'\r' | 0x0c);
    text.bytes().filter(dropped).collect()
}

fn digit(b: u8) -> Option<u32> {
    b.is_ascii_digit().then(|| u32::from(b - b'0'))
}

fn is_isbn10(text: &str) -> bool {
    let all = without_spaces_and_dashes(text);
    let [first @ .., last] = all.as_slice() else {
        return false;
    };
    let check = if *last == b'X' { Some(10) } else { digit(*last) };
    let digits: Option<Vec<u32>> = first.iter().map(|b| digit(*b)).collect();
    match (digits, check) {
        (Some(digits), Some(check)) if digits.len() == 9 => {
            let sum: u32 = (1..).zip(&digits).map(|(i, d)| i * d).sum();
            (sum + 10 * check).is_multiple_of(11)
        }
        _ => false,
    }
}

fn is_isbn13(text: &str) -> bool {
    let digits: Option<Vec<u32>> = without_spaces_and_dashes(text).into_iter().map(digit).collect();
    match digits.as_deref() {
        Some([first @ .., last]) if first.len() == 12 => {
            let sum: u32 = first
                .iter()
                .zip([1, 3].iter().cycle())
                .map(|(d, factor)| d * factor)
                .sum();
            *last == (10 - sum % 10) % 10
        }
        _ => false,
    }
}

fn is_credit_card(text: &str) -> bool {
    let digits: Vec<u32> = text.bytes().filter_map(digit).collect();
    let head = |count: usize| digits.iter().take(count).fold(0, |all, d| all * 10 + d);
    let known = match digits.len() {
        13 => head(1) == 4,
        14 => (300..=305).contains(&head(3)) || matches!(head(2), 36 | 38),
        15 => matches!(head(2), 34 | 37) || matches!(head(4), 2131 | 1800),
        16 => head(1) == 4 || (51..=55).contains(&head(2)) || head(4) == 6011 || head(2) == 65 || head(2) == 35,
        _ => false,
    };
    let doubled = |(i, d): (usize, &u32)| if i % 2 == 0 { *d } else { d * 2 / 10 + d * 2 % 10 };
    let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
    known && sum.is_multiple_of(10)
}

fn is_ssn(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 11
        && bytes.iter().enumerate().all(|(i, b)| match i {
            3 | 6 => matches!(b, b'-' | b' '),
            _ => b.is_ascii_digit(),
        })
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_rgb_color(text: &str) -> bool {
    let inner = text.strip_prefix("rgb(").and_then(|rest| rest.strip_suffix(')'));
    let is_part = |part: &str| {
        let part = part.trim_matches([' ', '\t', '\n', '\r', '\u{c}']);
        let plain = part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
        plain && part.parse::<u8>().is_ok()
    };
    inner.is_some_and(|inner| inner.split(',').count() == 3 && inner.split(',').all(is_part))
}

fn is_base64(text: &str) -> bool {
    let plain = text.trim_end_matches('=');
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    !text.is_empty() && text.len().is_multiple_of(4) && text.len() - plain.len() <= 2 && plain.bytes().all(fits)
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_date_time(text: &str) -> bool {
    let lower = text.to_lowercase();
    let Some((date, time)) = lower.split_once('t') else {
        return false;
    };
    // A further `t` ends the time.
    let time = time.split('t').next().unwrap_or(time).as_bytes();
    let two = |at: usize, most: &[u8; 2]| {
        time.get(at..at + 2)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit) && part <= most.as_slice())
    };
    let clock =
        two(0, b"23") && two(3, b"59") && two(6, b"59") && time.get(2) == Some(&b':') && time.get(5) == Some(&b':');
    if !is_date(date) || !clock {
        return false;
    }
    let rest = time.get(8..).unwrap_or_default();
    let zone = |zone: &[u8]| match zone {
        b"z" => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].iter().all(|b| b.is_ascii_digit()),
        _ => false,
    };
    // The fraction's point may be any character, and its digits end where the zone begins.
    let fraction = |rest: &[u8]| {
        let digits = rest.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
        digits > 0 && zone(rest.get(1 + digits..).unwrap_or_default())
    };
    zone(rest) || fraction(rest)
}

/// Nanoseconds of a duration as Go writes it (`1h30m`), or else in the words of Scala (`3 days`).
pub(super) fn duration(text: &str) -> Option<i64> {
    go_duration(text).or_else(|| worded_duration(text))
}

/// Nanoseconds of a duration as Go writes it: `1h30m`, `1.5s`, `-2us`.
pub(super) fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let scale: i128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 19 {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let digits = &fraction[..fraction.len().min(18)];
        let part: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
        let power = 10_i128.pow(u32::try_from(digits.len()).ok()?);
        total = total.checked_add(whole * scale + part * scale / power)?;
        rest = next;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

fn worded_duration(text: &str) -> Option<i64> {
    const SECOND: i64 = 1_000_000_000;
    const UNITS: [(&[&str], i64); 8] = [
        (&["ns", "nano"], 1),
        (&["us", "µs", "micro"], 1_000),
        (&["ms", "milli"], 1_000_000),
        (&["s", "sec"], SECOND),
        (&["m", "min"], 60 * SECOND),
        (&["h", "hr", "hour"], 3_600 * SECOND),
        (&["d", "day"], 86_400 * SECOND),
        (&["w", "wk", "week"], 604_800 * SECOND),
    ];
    let mut total: Option<i64> = None;
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let from = &rest[start..];
        let (number, after) = from.split_at(from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len()));
        let after = after.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
        let end = after
            .find(|c: char| !(c.is_ascii_alphabetic() || c == 'µ'))
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        rest = next;
        if unit.is_empty() {
            continue;
        }
        let number: i64 = number.parse().ok()?;
        let unit = unit.to_lowercase();
        for (names, scale) in UNITS {
            let long = names.last().is_some_and(|name| unit.starts_with(name));
            if long || names.contains(&unit.as_str()) {
                let more = number.wrapping_mul(scale);
                total = Some(total.unwrap_or_default().wrapping_add(more));
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_takes_its_own_and_nothing_else() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            (
                "bsonobjectid",
                &["507f1f77bcf86cd799439011"],
                &["507f1f77bcf86cd79943901"],
            ),
            ("uri", &["https://a.b/c?d", "/x"], &["a b", "x/y"]),
            ("email", &["a@b.c", "A <a@b.c>"], &["a", "a@", "a..b@c"]),
            ("hostname", &["a", "a-b.example.com"], &["-a", "a_b", "a.b1"]),
            ("ipv4", &["10.0.0.1", "010.0.0.1"], &["10.0.0", "10.0.0.256", "::1"]),
            ("ipv6", &["::1", "fe80::1"], &["10.0.0.1", "::g"]),
            ("cidr", &["10.0.0.1/8", "::/0"], &["10.0.0.0", "10.0.0.0/33"]),
            (
                "mac",
                &["01:23:45:67:89:ab", "0123.4567.89ab"],
                &["01:23:45:67:89", "01-23:45:67:89:ab"],
            ),
            (
                "uuid",
                &[
                    "9d7ac6ce-7d5b-4e3a-8a6e-0c1d2e3f4a5b",
                    "9D7AC6CE7D5B4E3A8A6E0C1D2E3F4A5B",
                ],
                &["9d7ac6ce"],
            ),
            (
                "uuid4",
                &["9d7ac6ce-7d5b-4e3a-8a6e-0c1d2e3f4a5b"],
                &["9d7ac6ce-7d5b-3e3a-8a6e-0c1d2e3f4a5b"],
            ),
            (
                "isbn",
                &["0321751043", "978-0321751041"],
                &["0321751044", "978-0321751042"],
            ),
            ("creditcard", &["4111 1111 1111 1111"], &["4111 1111 1111 1112"]),
            ("ssn", &["111-22-3333"], &["111223333", "111-2-33333"]),
            ("hexcolor", &["#fff", "FFFFFF"], &["#ffff", "#ggg"]),
            (
                "rgbcolor",
                &["rgb(0, 10,255)"],
                &["rgb(0,10)", "rgb(0,10,256)", "rgb(00,1,1)"],
            ),
            ("byte", &["YWJj", "YQ=="], &["", "YQ", "Y==="]),
            ("date", &["2024-02-29"], &["2023-02-29", "24-01-01"]),
            ("duration", &["1h30m", "1.5s", "3 days", "0"], &["", "1", "5x"]),
            (
                "date-time",
                &["2024-01-02T03:04:05Z", "2024-01-02t03:04:05.5+01:00"],
                &["2024-01-02", "2024-01-02T24:00:00Z", "2024-01-02T03:04:05"],
            ),
            ("k8s-short-name", &["a-b"], &["a.b", "A", ""]),
            ("k8s-long-name", &["a.b-c"], &["a..b", ".a"]),
        ];
        for (name, good, bad) in cases {
            let format = Format::of(name).unwrap();
            for text in *good {
                assert!(format.accepts(text), "{name} takes {text}");
            }
            for text in *bad {
                assert!(!format.accepts(text), "{name} refuses {text}");
            }
        }
        assert_eq!(Format::of("unheard-of"), None);
    }
}
