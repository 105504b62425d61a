//! The fingerprint by which OCI tells a user's API keys apart: MD5 of the public key's DER, in hexadecimal with colons.
//!
//! MD5 names a key here and protects nothing: a signature is checked with the key itself.

const SHIFTS: [u32; 16] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];

/// The fingerprint of a public key (SubjectPublicKeyInfo, DER).
pub(super) fn fingerprint(public_key: &[u8]) -> String {
    md5(public_key).map(|byte| format!("{byte:02x}")).join(":")
}

fn md5(message: &[u8]) -> [u8; 16] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if message.len() % 64 >= 56 {
        padded.resize(padded.len() + 64, 0);
    }
    let length = padded.len() - 8;
    let bits = (message.len() as u64).wrapping_mul(8).to_le_bytes();
    padded.splice(length.., bits);

    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for chunk in padded.chunks_exact(64) {
        let words: Vec<u32> = chunk
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| u32::from_le_bytes(*bytes))
            .collect();
        let [mut a, mut b, mut c, mut d] = state;
        for round in 0..64_u32 {
            let (mix, index) = match round / 16 {
                0 => ((b & c) | (!b & d), round),
                1 => ((d & b) | (!d & c), 5 * round + 1),
                2 => (b ^ c ^ d, 3 * round + 5),
                _ => (c ^ (b | !d), 7 * round),
            };
            let word = words.get(index as usize % 16).copied().unwrap_or_default();
            let shift = SHIFTS
                .get((round / 16 * 4 + round % 4) as usize)
                .copied()
                .unwrap_or_default();
            let sum = a.wrapping_add(mix).wrapping_add(constant(round)).wrapping_add(word);
            (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(shift)));
        }
        state = [
            state[0].wrapping_add(a),
            state[1].wrapping_add(b),
            state[2].wrapping_add(c),
            state[3].wrapping_add(d),
        ];
    }
    let mut digest = [0; 16];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    digest
}

/// The whole part of 2³² · |sin(round + 1)|, which is how MD5 defines its constants.
fn constant(round: u32) -> u32 {
    (f64::from(round + 1).sin().abs() * 4_294_967_296.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        md5(text.as_bytes()).map(|byte| format!("{byte:02x}")).concat()
    }

    #[test]
    fn the_digests_of_rfc_1321() {
        assert_eq!(hex(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
        let digits = "1234567890".repeat(8);
        assert_eq!(hex(&digits), "57edf4a22be3c955ac49da2e2107b67a");
        assert_eq!(
            hex("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
            "d174ab98d277d9f5a5611c2c9f419d9f"
        );
    }
}
