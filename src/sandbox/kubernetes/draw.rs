//! What a server makes up: UIDs, generated names, addresses. Drawn from its name, its revision and the time, so that a run is
//! the same each time.

use super::write::Writer;

impl Writer<'_> {
    /// Bytes that no other write of this server gets.
    pub(super) fn draw(&self) -> [u8; 32] {
        use sha2::Digest as _;
        let seed = format!("{}/{}/{}", self.server, self.state.revision, self.now);
        sha2::Sha256::digest(seed.as_bytes()).into()
    }

    pub(super) fn free_address(&self) -> String {
        let [a, b, ..] = self.draw();
        format!("10.96.{a}.{}", b.max(1))
    }
}

/// A version 4 UUID of drawn bytes.
pub(super) fn uid(draw: &[u8; 32]) -> String {
    let hex: String = draw.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

/// Five characters that make a generated name.
pub(super) fn suffix(draw: &[u8; 32]) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let chars = draw.iter().skip(16).take(5).map(|byte| {
        let at = usize::from(*byte) % ALPHABET.len();
        ALPHABET.get(at).copied().map_or('b', char::from)
    });
    chars.collect()
}
