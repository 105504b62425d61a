//! Tokens that are bought with another identity, and their renewal.
//!
//! Invariant: one renewal at a time; a token is renewed well before it expires, and while it has not expired a renewal that
//! fails is a warning.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{CredentialsError, KeyMaterial, Now, PrivateKey, Secret};

/// After a renewal, failed or not, the next one waits for this long: those who hand out tokens have limits.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// A token with its key.
pub(super) struct Session {
    pub(super) material: KeyMaterial,
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
}

impl Session {
    /// A token that was just issued. What it says of itself is read, not verified: that is the services' part.
    pub(super) fn new(place: &str, token: &str, key: PrivateKey, now: Timestamp) -> Result<Self, CredentialsError> {
        let invalid = |what| CredentialsError::Invalid {
            place: place.to_owned(),
            what,
        };
        let claims = claims(token).ok_or_else(|| invalid("the token is no JWT"))?;
        let time = |name: &str| {
            claims
                .get(name)
                .and_then(Value::as_i64)
                .and_then(|at| Timestamp::from_second(at).ok())
        };
        let expires = time("exp").ok_or_else(|| invalid("the token does not say when it expires"))?;
        if expires <= now {
            return Err(invalid("the token has expired"));
        }
        let tenancy = ["res_tenant", "tenant"]
            .into_iter()
            .find_map(|name| claims.get(name).and_then(Value::as_str))
            .map(str::to_owned);
        Ok(Self {
            material: KeyMaterial {
                key_id: Secret::new(format!("ST${token}")),
                key,
                tenancy,
            },
            issued: time("iat").filter(|issued| *issued < expires).unwrap_or(now),
            expires,
        })
    }

    /// Half of its life, so that whoever hands out tokens may be away for the other half.
    fn renew_at(&self) -> Timestamp {
        let half = self.expires.duration_since(self.issued) / 2;
        self.issued.checked_add(half).unwrap_or(self.expires)
    }
}

/// What a JWT says of itself; none where it is none.
pub(super) fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?).ok()
}

/// The session of one identity.
pub(super) struct Sessions {
    now: Now,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    /// When a renewal was last begun.
    tried: Option<Timestamp>,
    refused: bool,
}

impl Sessions {
    pub(super) fn new(now: Now) -> Self {
        Self {
            now,
            state: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// The token that is good now; `renew` buys one, and is told the tenancy of the one before.
    pub(super) async fn get<F>(
        &self,
        renew: impl FnOnce(Option<String>) -> F + Send,
    ) -> Result<KeyMaterial, CredentialsError>
    where
        F: Future<Output = Result<Session, CredentialsError>> + Send,
    {
        // Held over the renewal: who comes meanwhile waits for it.
        let mut state = self.state.lock().await;
        let now = self.now();
        let good = state.session.as_ref().filter(|session| now < session.expires);
        let rested = state.tried.is_none_or(|tried| now.duration_since(tried) >= PAUSE);
        if let Some(session) = good
            && (!rested || (now < session.renew_at() && !state.refused))
        {
            return Ok(session.material.clone());
        }
        let before = good.map(|session| session.material.clone());
        state.tried = Some(now);
        let tenancy = state
            .session
            .as_ref()
            .and_then(|session| session.material.tenancy.clone());
        match (renew(tenancy).await, before) {
            (Ok(session), _) => {
                let material = session.material.clone();
                *state = State {
                    session: Some(session),
                    tried: Some(now),
                    refused: false,
                };
                Ok(material)
            }
            (Err(error), Some(material)) => {
                tracing::warn!(%error, "a token can't be renewed; the one before is still good");
                Ok(material)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// A service did not accept this token.
    pub(super) async fn refused(&self, material: &KeyMaterial) {
        let mut state = self.state.lock().await;
        if state
            .session
            .as_ref()
            .is_some_and(|session| session.material == *material)
        {
            state.refused = true;
        }
    }
}
