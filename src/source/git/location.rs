//! Where a repository is.
//!
//! Invariant: holds no secret, so that it can be shown anywhere.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `https://`
    Https,
    /// `http://`
    Http,
    /// `ssh://`, or `user@host:path`
    Ssh,
    /// `file://`: a repository on this machine.
    File,
}

/// A repository's URL, without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    text: String,
    scheme: Scheme,
    user: Option<String>,
    host: String,
    port: u16,
}

/// Why a text is no location. The text is not part of it, since it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// It is no URL.
    #[error("this is no URL of a Git repository: expected https://, http://, ssh://, file:// or user@host:path")]
    Malformed,
    /// It is another kind of URL.
    #[error("only https, http, ssh and file URLs can be fetched from")]
    Scheme,
    /// It holds a password.
    #[error("the URL holds a password or a token: give it by a file or an environment variable instead")]
    Password,
    /// It holds a query or a fragment.
    #[error("the URL of a Git repository has neither `?` nor `#`")]
    Query,
}

impl Location {
    /// How it is reached.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user that the URL names.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The host, in lower case, an IPv6 address without brackets; empty for a file.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 0 for a file.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where on this machine it is; none of one that is elsewhere.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        let url = Url::parse(&self.text).ok().filter(|url| url.scheme() == "file")?;
        url.to_file_path().ok()
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// The URL, without credentials. An SSH user is part of it: it is no secret, and the host may have several.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The repository's own name: the last part of the path, without `.git`.
    pub fn name(&self) -> &str {
        let path = self.text.trim_end_matches('/');
        let name = path.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".git").unwrap_or(name)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let text = text.trim();
        let written_out;
        let text = if text.contains("://") {
            text
        } else {
            written_out = from_short(text).ok_or(LocationError::Malformed)?;
            &written_out
        };
        let mut url = Url::parse(text).map_err(|_| LocationError::Malformed)?;
        let (scheme, default_port) = match url.scheme() {
            "https" => (Scheme::Https, 443),
            "http" => (Scheme::Http, 80),
            "ssh" => (Scheme::Ssh, 22),
            "file" => (Scheme::File, 0),
            _ => return Err(LocationError::Scheme),
        };
        if url.password().is_some() {
            return Err(LocationError::Password);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(LocationError::Query);
        }
        let user = Some(url.username()).filter(|user| !user.is_empty()).map(str::to_owned);
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let is_file = scheme == Scheme::File;
        if host.is_empty() != is_file || url.path().trim_matches('/').is_empty() {
            return Err(LocationError::Malformed);
        }
        if matches!(scheme, Scheme::Https | Scheme::Http) {
            url.set_username("").map_err(|()| LocationError::Malformed)?;
        }
        Ok(Self {
            port: url.port().unwrap_or(default_port),
            text: url.to_string(),
            scheme,
            user,
            host,
        })
    }
}

/// `user@host:path` as a URL. Git takes the path as relative to the user's home; forges have no homes.
fn from_short(text: &str) -> Option<String> {
    let (place, path) = text.split_once(':')?;
    let plain = |text: &str| !text.is_empty() && !text.contains(['/', ' ', ':']);
    let (user, host) = place.split_once('@').unwrap_or(("git", place));
    // `ext::…` is Git's way of naming a program to be run.
    (plain(user) && plain(host) && !path.is_empty() && !path.starts_with(':'))
        .then(|| format!("ssh://{user}@{host}/{}", path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Location {
        text.parse().unwrap()
    }

    #[test]
    fn reads_the_four_kinds() {
        let https = parse("https://Git.Example.org/team/fleet.git");
        assert_eq!(
            (https.scheme(), https.host(), https.port()),
            (Scheme::Https, "git.example.org", 443)
        );
        assert_eq!(
            (https.name(), https.as_str()),
            ("fleet", "https://git.example.org/team/fleet.git")
        );
        let http = parse("http://user@[::1]:3000/fleet");
        assert_eq!((http.scheme(), http.host(), http.port()), (Scheme::Http, "::1", 3000));
        assert_eq!((http.user(), http.as_str()), (Some("user"), "http://[::1]:3000/fleet"));
        assert!(http.is_loopback() && !https.is_loopback());
        let ssh = parse("git@example.org:team/fleet.git");
        assert_eq!(ssh, parse("ssh://git@example.org/team/fleet.git"));
        assert_eq!((ssh.user(), ssh.port()), (Some("git"), 22));
        assert_eq!(parse("ssh://git@example.org:2222/x").port(), 2222);
        let file = parse("file:///srv/git/fleet.git/");
        assert_eq!((file.scheme(), file.name(), file.host()), (Scheme::File, "fleet", ""));
        assert_eq!(file.directory().as_deref(), Some("/srv/git/fleet.git/".as_ref()));
        assert_eq!(ssh.directory(), None);
    }

    #[test]
    fn refuses_what_is_none_and_what_holds_a_secret() {
        for (text, why) in [
            ("", LocationError::Malformed),
            ("fleet", LocationError::Malformed),
            ("./fleet", LocationError::Malformed),
            ("https://", LocationError::Malformed),
            ("https://example.org/", LocationError::Malformed),
            ("file://host/x", LocationError::Malformed),
            ("git://example.org/x", LocationError::Scheme),
            ("ext::sh -c evil", LocationError::Malformed),
            ("https://a:hunter2@example.org/x", LocationError::Password),
            ("https://example.org/x?access_token=hunter2", LocationError::Query),
        ] {
            let error = text.parse::<Location>().unwrap_err();
            assert_eq!(error, why, "{text}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
