//! Where a provider is: base URLs in the forms people write them, and which hosts are this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use super::error::ProviderError;

/// Whether `host`, with or without a port, is this machine: a loopback address, `localhost`, a
/// Unix socket. A name that some resolver would have to vouch for is not.
pub fn is_local_host(host: &str) -> bool {
    if host.starts_with('/') || host.starts_with("unix:") {
        return true;
    }
    let name = bare(host);
    match name.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

/// The host without port and brackets.
fn bare(host: &str) -> &str {
    if host.parse::<Ipv6Addr>().is_ok() {
        return host;
    }
    if let Some((inside, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inside;
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}

/// The base address of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    base: Url,
    host: String,
}

impl Endpoint {
    /// Reads a base URL. Plain http is for this machine and for private networks only.
    pub(super) fn parse(provider: &str, text: &str) -> Result<Self, ProviderError> {
        let bad = || ProviderError::BadBaseUrl {
            provider: provider.to_owned(),
        };
        let mut base = Url::parse(text.trim()).map_err(|_| bad())?;
        let plain = match base.scheme() {
            "http" => true,
            "https" => false,
            _ => return Err(bad()),
        };
        if !base.username().is_empty() || base.password().is_some() {
            return Err(bad());
        }
        // Where a server listens on every address, a client has to pick one.
        if base.host_str() == Some(&Ipv4Addr::UNSPECIFIED.to_string()) {
            base.set_ip_host(Ipv4Addr::LOCALHOST.into())
                .map_err(|()| bad())?;
        }
        base.set_query(None);
        base.set_fragment(None);
        let name = base.host_str().filter(|name| !name.is_empty());
        let host = match (name, base.port()) {
            (None, _) => return Err(bad()),
            (Some(name), None) => name.to_owned(),
            (Some(name), Some(port)) => format!("{name}:{port}"),
        };
        if plain && !is_private(&host) {
            return Err(ProviderError::PlainHttp {
                provider: provider.to_owned(),
                host,
            });
        }
        Ok(Endpoint { base, host })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The base path, without a slash at its end.
    pub(super) fn path(&self) -> &str {
        self.base.path().trim_end_matches('/')
    }

    /// The URL at `path`, which begins with a slash and takes the place of the base path.
    pub(super) fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }
}

/// A network that one's own words cross only among one's own machines.
fn is_private(host: &str) -> bool {
    let name = bare(host);
    match name.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => {
            // 100.64/10 is shared address space (RFC 6598), where overlay networks live.
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            !name.contains('.')
                || [".local", ".lan", ".internal", ".home.arpa", ".localhost"]
                    .iter()
                    .any(|suffix| name.ends_with(suffix))
        }
    }
}

/// `OLLAMA_HOST` as a URL: `host`, `host:port`, `:port`, `http://…`; the port is 11434 unless a
/// scheme is given, as with Ollama's own client.
pub(super) fn ollama_url(text: &str) -> String {
    let text = text.trim().trim_end_matches('/');
    if text.contains("://") {
        return text.to_owned();
    }
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return format!("http://[{ip}]:11434");
    }
    let (address, path) = match text.split_once('/') {
        Some((address, path)) => (address, format!("/{path}")),
        None => (text, String::new()),
    };
    let has_port = address
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    let address = address.trim_end_matches(':');
    match (address.strip_prefix(':'), has_port) {
        (Some(port), _) => format!("http://127.0.0.1:{port}{path}"),
        (None, _) if address.is_empty() => format!("http://127.0.0.1:11434{path}"),
        (None, true) => format!("http://{address}{path}"),
        (None, false) => format!("http://{address}:11434{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_this_machine_and_nothing_else_is() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1",
            "127.8.8.8:1",
            "::1",
            "[::1]:11434",
            "[::ffff:127.0.0.1]:1",
            "/run/x.sock",
            "unix:/run/x.sock",
        ] {
            assert!(is_local_host(host), "{host}");
        }
        for host in [
            "",
            "api.anthropic.com",
            "localhost.evil.example",
            "foo.localhost",
            "10.0.0.1",
            "0.0.0.0",
            "[::2]:1",
            "128.0.0.1",
            "127.0.0.1.example",
            "evil.example/localhost",
        ] {
            assert!(!is_local_host(host), "{host}");
        }
    }

    #[test]
    fn a_base_url_is_http_or_https_without_credentials() {
        let host = |text: &str| Endpoint::parse("p", text).map(|e| e.host().to_owned());
        assert_eq!(host("https://api.example/v1/").unwrap(), "api.example");
        assert_eq!(host("https://api.example:443").unwrap(), "api.example");
        assert_eq!(host("http://0.0.0.0:8080").unwrap(), "127.0.0.1:8080");
        assert_eq!(host("http://127.1:8080").unwrap(), "127.0.0.1:8080");
        assert_eq!(host("http://[::1]:8080").unwrap(), "[::1]:8080");
        for text in [
            "",
            "api.example",
            "file:///etc/passwd",
            "ftp://a.example",
            "https://",
            "https://me:pw@a.example",
            "https://me@a.example",
            "data:text/plain,x",
        ] {
            let error = host(text).expect_err(text);
            assert!(matches!(error, ProviderError::BadBaseUrl { .. }), "{text}");
            assert!(!format!("{error} {error:?}").contains("pw"));
        }
    }

    #[test]
    fn plain_http_stays_on_private_networks() {
        for host in [
            "localhost:1",
            "10.1.2.3",
            "192.168.0.9:8",
            "100.64.0.1",
            "nas",
            "nas.local",
            "[fd00::1]",
            "169.254.1.1",
        ] {
            assert!(
                Endpoint::parse("p", &format!("http://{host}")).is_ok(),
                "{host}"
            );
        }
        for host in [
            "api.example",
            "8.8.8.8",
            "172.32.0.1",
            "[2001:db8::1]",
            "100.128.0.1",
        ] {
            let error = Endpoint::parse("p", &format!("http://{host}")).expect_err(host);
            assert!(matches!(error, ProviderError::PlainHttp { .. }), "{host}");
            assert!(
                Endpoint::parse("p", &format!("https://{host}")).is_ok(),
                "{host}"
            );
        }
    }

    #[test]
    fn ollama_host_is_read_in_all_its_forms() {
        for (text, url) in [
            ("", "http://127.0.0.1:11434"),
            ("box", "http://box:11434"),
            ("box:1", "http://box:1"),
            ("box:", "http://box:11434"),
            (":1", "http://127.0.0.1:1"),
            ("0.0.0.0", "http://0.0.0.0:11434"),
            ("::1", "http://[::1]:11434"),
            ("[::1]", "http://[::1]:11434"),
            ("[::1]:5", "http://[::1]:5"),
            ("http://box", "http://box"),
            ("https://box:1/x/", "https://box:1/x"),
            ("box/ollama", "http://box:11434/ollama"),
        ] {
            assert_eq!(ollama_url(text), url, "{text}");
        }
        let endpoint = Endpoint::parse("ollama", &ollama_url("0.0.0.0")).unwrap();
        assert!(is_local_host(endpoint.host()));
    }
}
