//! A request before it is sent, and what it names.

use serde_json::Value;
use url::Url;

use crate::providers::oci::transport::is_near;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes.
    Post,
    /// Changes, as GitHub and Gitea call it.
    Patch,
    /// Changes, as GitLab calls it.
    Put,
}

impl Method {
    /// As HTTP has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
        }
    }
}

/// Whether a request may be sent again when its outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Sent twice, it does the same as once.
    Safe,
    /// Sent twice, it makes two.
    Never,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it does.
    pub method: Method,
    /// Path and query below the API's address, encoded.
    pub path: String,
    /// JSON; none for what reads.
    pub body: Option<Value>,
    /// Whether it may be sent again.
    pub repeat: Repeat,
}

impl Call {
    /// One that reads.
    pub fn get(path: String) -> Self {
        Self {
            method: Method::Get,
            path,
            body: None,
            repeat: Repeat::Safe,
        }
    }

    /// One that writes.
    pub fn write(method: Method, path: String, body: Value, repeat: Repeat) -> Self {
        Self {
            method,
            path,
            body: Some(body),
            repeat,
        }
    }
}

/// What can't be an address of something on a code host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No URL.
    #[error("the API's address has to be a URL such as https://git.example.com/api/v1, with nothing after the path")]
    Url,
    /// It holds a password.
    #[error("the API's address holds a user or a password: a token comes from the environment")]
    Credentials,
    /// Without TLS.
    #[error("{0} is reached by https alone: the token would be seen on the way")]
    Plain(String),
    /// No repository.
    #[error("`{0}` names no repository: OWNER/NAME, on GitLab GROUP/…/NAME or its number")]
    Repository(String),
    /// No commit.
    #[error("`{0}` is no commit: the whole id is needed, 40 or 64 hexadecimal digits")]
    Commit(String),
}

/// The address of an API, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Reads one.
    ///
    /// # Errors
    /// Where it is none, or one that a token must not be sent to.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError::Url)?;
        let host = url.host_str().unwrap_or_default();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if host.is_empty()
            || !matches!(url.scheme(), "http" | "https")
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(AddressError::Url);
        }
        if url.scheme() == "http" && !is_near(host) {
            return Err(AddressError::Plain(host.to_owned()));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole address of a call.
    pub fn of(&self, call: &Call) -> String {
        format!("{}{}", self.0, call.path)
    }
}

/// A repository's name, on GitLab perhaps its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository(Vec<String>);

impl Repository {
    /// Reads one.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let is_word = |word: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            !word.is_empty() && word.chars().all(fits) && word != "." && word != ".."
        };
        let words: Vec<String> = text.split('/').map(str::to_owned).collect();
        let is_number = words.len() == 1 && text.parse::<u64>().is_ok();
        if text.len() > 512 || !words.iter().all(|word| is_word(word)) || (words.len() < 2 && !is_number) {
            return Err(AddressError::Repository(text.chars().take(100).collect()));
        }
        Ok(Self(words))
    }

    /// `OWNER/NAME`, which is what hosts other than GitLab have.
    ///
    /// # Errors
    /// Where it has more parts, or fewer.
    pub fn of_an_owner(&self) -> Result<String, AddressError> {
        match &self.0[..] {
            [owner, name] => Ok(format!("{owner}/{name}")),
            other => Err(AddressError::Repository(other.join("/"))),
        }
    }

    /// As one segment of a path.
    pub fn segment(&self) -> String {
        self.0.join("%2F")
    }
}

/// A commit's whole id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit(String);

impl Commit {
    /// Reads one.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(AddressError::Commit(text.chars().take(100).collect()))
        }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_by_https_or_to_this_machine() {
        for fine in [
            "https://api.github.com",
            "https://git.example.com/api/v1/",
            "http://127.0.0.1:3000/api/v1",
        ] {
            assert_eq!(Address::parse(fine).unwrap().as_str(), fine.trim_end_matches('/'));
        }
        assert_eq!(
            Address::parse("http://git.example.com/api/v1"),
            Err(AddressError::Plain("git.example.com".to_owned()))
        );
        assert_eq!(
            Address::parse("https://u:hunter2@git.example.com"),
            Err(AddressError::Credentials)
        );
        for wrong in ["git.example.com", "ftp://x/", "https://x/?a=b", "https://x/#a", ""] {
            assert_eq!(Address::parse(wrong), Err(AddressError::Url), "{wrong}");
        }
    }

    #[test]
    fn what_is_named_can_not_lead_elsewhere() {
        let named = Repository::parse("group/sub/fleet.git").unwrap();
        assert_eq!(named.segment(), "group%2Fsub%2Ffleet.git");
        assert!(named.of_an_owner().is_err());
        assert_eq!(Repository::parse("o/r").unwrap().of_an_owner().unwrap(), "o/r");
        assert_eq!(Repository::parse("17").unwrap().segment(), "17");
        for wrong in ["o", "o/", "/r", "o/../r", "o/r?x", "o/r#", "o r/x", "o/%2e", ""] {
            assert!(Repository::parse(wrong).is_err(), "{wrong}");
        }
        let whole = "ABCDEF0123456789abcdef0123456789abcdef01";
        assert_eq!(Commit::parse(whole).unwrap().as_str(), whole.to_ascii_lowercase());
        for wrong in ["abcdef0", "main", "../../x", &"g".repeat(40)] {
            assert!(Commit::parse(wrong).is_err(), "{wrong}");
        }
    }
}
