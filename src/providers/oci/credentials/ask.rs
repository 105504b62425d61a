//! Requests to those who hand out keys: the metadata service, the auth service, the cluster's proxy.
//!
//! Invariant: no answer is quoted in an error; it may be a key.

use std::time::Duration;

use bytes::Bytes;

use super::CredentialsError;
use crate::providers::oci::api::Exchange;

const ATTEMPTS: u32 = 3;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);

/// Sends what `request` makes, up to three times where no answer comes or the other side has trouble. `hint` says what to
/// look at for a status.
pub(super) async fn ask(
    exchange: &dyn Exchange,
    place: &str,
    hint: fn(u16) -> &'static str,
    request: impl Fn() -> Result<http::Request<Bytes>, CredentialsError> + Send + Sync,
) -> Result<Bytes, CredentialsError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let sent = tokio::time::timeout(ATTEMPT_TIMEOUT, exchange.exchange(request()?)).await;
        let error = match sent {
            Err(elapsed) => unreadable(place, elapsed),
            Ok(Err(source)) => CredentialsError::Unreadable {
                place: place.to_owned(),
                source,
            },
            Ok(Ok(answer)) if answer.status().is_success() => return Ok(answer.into_body()),
            Ok(Ok(answer)) => {
                let status = answer.status().as_u16();
                let error = CredentialsError::Refused {
                    place: place.to_owned(),
                    status,
                    hint: hint(status),
                };
                if status < 500 && status != 429 {
                    return Err(error);
                }
                error
            }
        };
        if attempt >= ATTEMPTS {
            return Err(error);
        }
        tracing::debug!(place, %error, "another attempt");
        tokio::time::sleep(PAUSE * attempt).await;
    }
}

/// Something that can't be read.
pub(super) fn unreadable(place: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CredentialsError {
    CredentialsError::Unreadable {
        place: place.to_owned(),
        source: source.into(),
    }
}
