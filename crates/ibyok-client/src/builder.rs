//! The builder of a client.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::client::Client;
use crate::error::{Error, Result};

/// The longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);

/// The longest time for a request, including its retries. It is a little longer than the server allows itself.
const TIMEOUT: Duration = Duration::from_secs(35);

/// A client that is being put together: see [`Client::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder {
    url: String,
    token: SecretString,
    insecure_http: bool,
    timeout: Duration,
    user_agent: String,
}

impl ClientBuilder {
    pub(crate) fn new(url: &str, token: SecretString) -> Self {
        ClientBuilder {
            url: url.to_owned(),
            token,
            insecure_http: false,
            timeout: TIMEOUT,
            user_agent: concat!("ibyok-client/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Lets the token travel unencrypted to another machine; without it, `http` reaches this one only.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.insecure_http = allow;
        self
    }

    /// Sets the longest time for one request, including its retries. The default is 35 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the user agent that the server's logs show.
    pub fn user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = text.into();
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address that is not one, has a user name in it, or would send the token unencrypted to
    /// another machine, and for a token that cannot be sent.
    pub fn build(self) -> Result<Client> {
        let base = self.address()?;
        let mut header = HeaderValue::from_str(&format!("Bearer {}", self.token.expose_secret()))
            .map_err(|_| Error::invalid("the access token is not valid", "check that you copied the whole token"))?;
        header.set_sensitive(true);
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .user_agent(self.user_agent.as_str())
            .build()
            .map_err(|error| Error::invalid(crate::send::chain(&error), "the HTTP library did not start"))?;
        Ok(Client::from_parts(base, http, header, self.timeout))
    }

    /// Checks the address alone, for a program that does not have the token yet.
    ///
    /// # Errors
    /// [`Error::Invalid`], as [`ClientBuilder::build`].
    pub fn check_address(&self) -> Result<()> {
        self.address().map(|_| ())
    }

    fn address(&self) -> Result<Url> {
        let form = "give an address as `https://host[:port]`";
        let url = Url::parse(&self.url).map_err(|_| Error::invalid("the server's address is not valid", form))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(Error::invalid(
                "the server's address has a user, a path or parameters",
                form,
            ));
        }
        match url.scheme() {
            "https" if cfg!(feature = "https") => Ok(url),
            "https" => Err(Error::invalid(
                "this program is built without TLS",
                "build the program with the feature `https`",
            )),
            "http" if self.insecure_http || is_this_machine(&url) => Ok(url),
            "http" => Err(Error::invalid(
                "the token would travel unencrypted to another machine",
                "use `https`, or accept the risk with `--insecure-http` (IBYOK_INSECURE_HTTP=true; in a program, `allow_insecure_http`)",
            )),
            _ => Err(Error::invalid(
                "the server's address is neither `https` nor `http`",
                form,
            )),
        }
    }
}

fn is_this_machine(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.to_canonical().is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(url: &str) -> Result<Client> {
        Client::new(url, SecretString::from("ibyok_x"))
    }

    #[test]
    fn a_token_travels_unencrypted_to_this_machine_only() {
        for good in ["http://127.0.0.1:8420", "http://[::1]:8420", "http://localhost"] {
            assert!(build(good).is_ok(), "{good}");
        }
        for bad in [
            "http://vault.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://[::ffff:10.0.0.1]",
        ] {
            assert!(matches!(build(bad), Err(Error::Invalid { .. })), "{bad}");
            let allowed = Client::builder(bad, SecretString::from("t"))
                .allow_insecure_http(true)
                .build();
            assert!(allowed.is_ok(), "{bad}");
        }
    }

    #[test]
    fn a_program_without_tls_says_which_feature_it_needs() {
        let built = build("https://vault.example.com").map_err(|error| error.hint().unwrap_or_default().to_owned());
        match cfg!(feature = "https") {
            true => assert!(built.is_ok(), "{built:?}"),
            false => assert!(built.unwrap_err().contains("feature `https`")),
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "vault",
            "ftp://v",
            "https://u:p@v",
            "https://v?token=x",
            "https://v#x",
            "file:///etc",
        ] {
            assert!(matches!(build(bad), Err(Error::Invalid { .. })), "{bad}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_refused() {
        let client = Client::new("http://localhost", SecretString::from("a\nb"));
        assert_eq!(client.unwrap_err().code(), "invalid");
    }

    #[test]
    fn neither_builder_nor_client_shows_the_token() {
        let builder = Client::builder("http://localhost", SecretString::from("ibyok_sentinel"));
        assert!(!format!("{builder:?}").contains("sentinel"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("sentinel"));
    }
}
