//! Oracle's configuration file: a profile with an API key, or with a session token.
//!
//! Invariant: a profile takes what it lacks from `DEFAULT`, as Oracle's tools have it, but never a session token: that is
//! one person's. All files of a profile are looked at before each call, and read again where one has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::ask::unreadable;
use super::session::claims;
use super::{Credentials, CredentialsError, KeyMaterial, Now, PrivateKey, Secret, api_key, part};

/// The profile that the others inherit from.
pub const DEFAULT: &str = "DEFAULT";

/// A profile of a configuration file.
pub struct ConfigFile {
    path: PathBuf,
    profile: String,
    home: Option<PathBuf>,
    now: Now,
    known: Mutex<Option<Known>>,
}

struct Known {
    stamps: Vec<(PathBuf, Stamp)>,
    material: KeyMaterial,
    expires: Option<Timestamp>,
}

/// What tells that a file has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

type Profile = BTreeMap<String, String>;

impl ConfigFile {
    /// Reads nothing yet. `home` is what `~` stands for in the file's paths; relative ones are relative to the file.
    pub fn new(path: impl Into<PathBuf>, profile: impl Into<String>, home: Option<PathBuf>, now: Now) -> Self {
        Self {
            path: path.into(),
            profile: profile.into(),
            home,
            now,
            known: Mutex::default(),
        }
    }

    /// The region that the profile names.
    ///
    /// # Errors
    /// Where the file can't be read or lacks the profile.
    pub async fn region(&self) -> Result<Option<String>, CredentialsError> {
        let (text, _) = read(&self.path).await?;
        Ok(self
            .profile(&text)?
            .remove("region")
            .filter(|region| !region.is_empty()))
    }

    fn place(&self) -> String {
        format!("{} [{}]", self.path.display(), self.profile)
    }

    async fn load(&self) -> Result<Known, CredentialsError> {
        let place = self.place();
        let (text, stamp) = read(&self.path).await?;
        let mut stamps = vec![(self.path.clone(), stamp)];
        let profile = self.profile(&text)?;
        let get = |name: &'static str| part(profile.get(name).map(String::as_str), &place, name);

        let key_file = self.file(get("key_file")?);
        let (pem, stamp) = read(&key_file).await?;
        stamps.push((key_file.clone(), stamp));
        let passphrase = profile.get("pass_phrase").map(Secret::new);
        let key = PrivateKey::from_pem(&pem, passphrase.as_ref()).map_err(|source| CredentialsError::Key {
            place: key_file.display().to_string(),
            source,
        })?;

        let tenancy = get("tenancy")?;
        let Some(token_file) = profile.get("security_token_file") else {
            let material = api_key(&place, tenancy, get("user")?, get("fingerprint")?, key)?;
            return Ok(Known {
                stamps,
                material,
                expires: None,
            });
        };
        let token_file = self.file(part(Some(token_file), &place, "security_token_file")?);
        let (token, stamp) = read(&token_file).await?;
        let token_place = token_file.display().to_string();
        let token = part(Some(&token), &token_place, "token")?;
        stamps.push((token_file, stamp));
        let expires = claims(token)
            .and_then(|claims| claims.get("exp")?.as_i64())
            .and_then(|at| Timestamp::from_second(at).ok());
        let material = KeyMaterial {
            key_id: Secret::new(format!("ST${token}")),
            key,
            tenancy: Some(tenancy.to_owned()),
        };
        Ok(Known {
            stamps,
            material,
            expires,
        })
    }

    fn profile(&self, text: &str) -> Result<Profile, CredentialsError> {
        let mut profiles = parse(text);
        let own = profiles
            .remove(&self.profile)
            .ok_or_else(|| CredentialsError::Missing {
                place: self.path.display().to_string(),
                part: "the profile",
            })?;
        let mut profile = profiles.remove(DEFAULT).unwrap_or_default();
        profile.remove("security_token_file");
        profile.extend(own);
        Ok(profile)
    }

    fn file(&self, path: &str) -> PathBuf {
        if let Some(rest) = path.strip_prefix("~/")
            && let Some(home) = &self.home
        {
            return home.join(rest);
        }
        self.path
            .parent()
            .map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
    }
}

impl Credentials for ConfigFile {
    fn get(&self) -> BoxFuture<'_, Result<KeyMaterial, CredentialsError>> {
        Box::pin(async move {
            let mut known = self.known.lock().await;
            if let Some(before) = &*known
                && !before.has_changed().await
            {
                return before.material(self);
            }
            // What changed may be wrong: then the key before is not used either.
            *known = None;
            let loaded = self.load().await?;
            let material = loaded.material(self);
            *known = Some(loaded);
            material
        })
    }

    fn refused<'a>(&'a self, _material: &'a KeyMaterial) -> BoxFuture<'a, ()> {
        // A file that changed twice within its clock's grain looks as it did before.
        Box::pin(async move { *self.known.lock().await = None })
    }
}

impl Known {
    async fn has_changed(&self) -> bool {
        for (path, stamp) in &self.stamps {
            if tokio::fs::metadata(path)
                .await
                .map(|metadata| Stamp::of(&metadata))
                .ok()
                != Some(*stamp)
            {
                return true;
            }
        }
        false
    }

    fn material(&self, file: &ConfigFile) -> Result<KeyMaterial, CredentialsError> {
        if self.expires.is_some_and(|expires| expires <= (file.now)()) {
            return Err(CredentialsError::Invalid {
                place: file.place(),
                what: "the session token has expired: `oci session authenticate` makes a new one",
            });
        }
        Ok(self.material.clone())
    }
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
        }
    }
}

/// A file's text, and its stamp from before it was read: what changes meanwhile is read another time.
async fn read(path: &Path) -> Result<(String, Stamp), CredentialsError> {
    let place = path.display().to_string();
    let metadata = tokio::fs::metadata(path)
        .await
        .map_err(|error| unreadable(&place, error))?;
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| unreadable(&place, error))?;
    Ok((text, Stamp::of(&metadata)))
}

/// The profiles of a file, and the tenancy that each is of; in it or inherited.
///
/// # Errors
/// Where the file can't be read.
pub async fn profiles(path: &Path) -> Result<BTreeMap<String, Option<String>>, CredentialsError> {
    let (text, _) = read(path).await?;
    let profiles = parse(&text);
    let tenancy = |profile: &Profile| profile.get("tenancy").filter(|tenancy| !tenancy.is_empty()).cloned();
    let inherited = profiles.get(DEFAULT).and_then(tenancy);
    Ok(profiles
        .iter()
        .map(|(name, profile)| (name.clone(), tenancy(profile).or_else(|| inherited.clone())))
        .collect())
}

/// Sections with `key = value` lines; keys in any case. Lines that are neither are skipped.
fn parse(text: &str) -> BTreeMap<String, Profile> {
    let mut profiles: BTreeMap<String, Profile> = BTreeMap::new();
    let mut section = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = Some(name.trim().to_owned());
            profiles.entry(name.trim().to_owned()).or_default();
        } else if let (Some(section), Some((key, value))) = (&section, line.split_once('='))
            && let Some(profile) = profiles.get_mut(section)
        {
            profile.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    profiles
}
