//! Keys in the forms in which OpenSSL has written them over the years.

use fleetwright::providers::oci::credentials::{KeyError, PrivateKey, Secret};

use super::{KEY_A, key};

/// What OpenSSL says of key A: `openssl rsa -pubout -outform DER | openssl md5 -c`.
const FINGERPRINT: &str = "09:11:8d:e5:e8:e7:ed:3e:fe:c8:ee:85:09:ce:0d:db";

const PKCS1: &str = include_str!("keys/a.pkcs1.pem");

const ENCRYPTED: [&str; 5] = [
    include_str!("keys/a.pkcs8-encrypted.pem"),
    include_str!("keys/a.pkcs1-aes128.pem"),
    include_str!("keys/a.pkcs1-aes192.pem"),
    include_str!("keys/a.pkcs1-aes256.pem"),
    include_str!("keys/a.pkcs1-des3.pem"),
];

#[test]
fn every_form_is_the_same_key() {
    assert_eq!(key(KEY_A).fingerprint(), FINGERPRINT);
    assert_eq!(key(PKCS1), key(KEY_A));
    let passphrase = Secret::new("opensesame");
    for text in ENCRYPTED {
        let read = PrivateKey::from_pem(text, Some(&passphrase)).expect("a key");
        assert_eq!(read, key(KEY_A));
    }
    // Oracle's console ends the files of its keys with a line of its own; editors of Windows end lines their way.
    assert_eq!(key(&format!("{KEY_A}\nOCI_API_KEY")), key(KEY_A));
    assert_eq!(key(&KEY_A.replace('\n', "\r\n")), key(KEY_A));
    let windows = ENCRYPTED[1].replace('\n', "\r\n");
    assert_eq!(PrivateKey::from_pem(&windows, Some(&passphrase)), Ok(key(KEY_A)));
}

#[test]
fn what_is_wrong_with_a_key_is_said_without_the_key() {
    for text in ENCRYPTED {
        assert_eq!(PrivateKey::from_pem(text, None), Err(KeyError::NoPassphrase));
        assert_eq!(
            PrivateKey::from_pem(text, Some(&Secret::new(""))),
            Err(KeyError::NoPassphrase)
        );
        assert_eq!(
            PrivateKey::from_pem(text, Some(&Secret::new("wrong"))),
            Err(KeyError::Undecryptable)
        );
    }
    for text in ["", "no key", include_str!("keys/loopback.pem")] {
        assert_eq!(PrivateKey::from_pem(text, None), Err(KeyError::NoKey));
    }
    let cut = PKCS1.replacen('M', "", 1);
    assert_eq!(PrivateKey::from_pem(&cut, None), Err(KeyError::NotRsa));
    assert_eq!(
        PrivateKey::from_pem(include_str!("keys/loopback.key.pem"), None),
        Err(KeyError::NotRsa)
    );
    assert_eq!(
        format!("{:?} {:?}", key(KEY_A), Secret::new("hidden")),
        "(private key) (secret)"
    );
}

/// Nothing that stands in a key file is a reason to panic.
#[test]
fn mangled_keys_are_errors() {
    let passphrase = Secret::new("opensesame");
    for text in ENCRYPTED {
        for at in (0..text.len()).step_by(7) {
            let mut mangled = text.to_owned();
            mangled.replace_range(at..=at, "=");
            // Most are errors; a character in the padding may not matter.
            if let Ok(read) = PrivateKey::from_pem(&mangled, Some(&passphrase)) {
                assert_eq!(read, key(KEY_A));
            }
            assert!(PrivateKey::from_pem(&text[..at], Some(&passphrase)).is_err());
        }
    }
}
