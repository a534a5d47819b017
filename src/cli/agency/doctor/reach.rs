//! The way to the gateway, step by step: name, connection, TLS, clock, access token, test tokens.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use hyper::Uri;
use hyper::header;

use super::test_tokens::TokenKeys;
use super::{Finding, test_tokens};
use crate::cli::agency::connection::{Connection, Session, now};
use crate::client::{CallHeaders, ClientError};

/// How long one address may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far the clock may be off before assertions are refused, and before it is worth a word.
const REFUSED_SECONDS: i64 = 30;
const NOTICED_SECONDS: i64 = 10;

/// Goes the way as far as it leads; what lies behind the first step that fails is not looked at.
pub(super) fn look(connection: &Connection, keys: Option<&TokenKeys>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let addresses = match resolve(&connection.gateway) {
        Ok((finding, addresses)) => {
            findings.push(finding);
            addresses
        }
        Err(finding) => {
            return with_rest(vec![finding], "the name", &["tcp", "tls", "clock", "token", test_tokens::CHECK]);
        }
    };
    let reached = connect(&addresses);
    let is_reached = !reached.is_fail();
    findings.push(reached);
    if !is_reached {
        return with_rest(findings, "the connection", &["tls", "clock", "token", test_tokens::CHECK]);
    }
    let mut session = match connection.open() {
        Ok(session) => session,
        Err(failure) => {
            findings.push(Finding::of("tls", &failure));
            return with_rest(findings, "the certificate and its key", &["clock", "token", test_tokens::CHECK]);
        }
    };
    let talked = crate::cli::block_on(async {
        let (tls, clock) = handshake(&session).await;
        let token = if tls.is_fail() { Finding::skipped("token", "TLS") } else { token(&mut session).await };
        let tokens = match keys {
            _ if tls.is_fail() => Finding::skipped(test_tokens::CHECK, "TLS"),
            _ if token.is_fail() => Finding::skipped(test_tokens::CHECK, "the access token"),
            None => Finding::skipped(test_tokens::CHECK, "the key file"),
            Some(keys) => test_tokens::look(&mut session, keys).await,
        };
        Ok(vec![tls, clock, token, tokens])
    });
    match talked {
        Ok(more) => findings.extend(more),
        Err(failure) => findings.push(Finding::of("tls", &failure)),
    }
    findings
}

fn with_rest(mut findings: Vec<Finding>, because: &str, rest: &[&'static str]) -> Vec<Finding> {
    findings.extend(rest.iter().map(|check| Finding::skipped(check, because)));
    findings
}

fn resolve(gateway: &str) -> Result<(Finding, Vec<SocketAddr>), Finding> {
    let place = gateway.parse::<Uri>().ok().and_then(|uri| {
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some((host, uri.port_u16().unwrap_or(443)))
    });
    let Some((host, port)) = place else {
        return Err(Finding::fail(
            "dns",
            "the gateway's address is not of the form https://host:port",
            "correct `gateway` in connection.toml",
        ));
    };
    let addresses: Vec<SocketAddr> = (host.as_str(), port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    if addresses.is_empty() {
        let next = "check the spelling in connection.toml, and this machine's DNS";
        return Err(Finding::fail("dns", format!("{host} has no address"), next));
    }
    let count = addresses.len();
    Ok((Finding::ok("dns", format!("{host} has {count} address(es)")), addresses))
}

fn connect(addresses: &[SocketAddr]) -> Finding {
    let mut refused = false;
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(_) => return Finding::ok("tcp", format!("port {} answers", address.port())),
            Err(error) => refused |= error.kind() == std::io::ErrorKind::ConnectionRefused,
        }
    }
    if refused {
        let next = "check the port in connection.toml, and ask the operator whether the gateway runs";
        return Finding::fail("tcp", "nothing listens at that port", next);
    }
    let next = "check the network, the firewall and whether the gateway lets this machine's address in";
    Finding::fail("tcp", format!("no connection within {} s", PATIENCE.as_secs()), next)
}

/// One call that asks about nobody: it proves the certificate, and its answer carries the gateway's time.
async fn handshake(session: &Session) -> (Finding, Finding) {
    match session.client().get("/openapi.json", &CallHeaders::default()).await {
        Ok(answer) => {
            let tls = Finding::ok("tls", "TLS 1.3, and the gateway takes this machine's certificate");
            let date = answer.headers.get(header::DATE).and_then(|value| value.to_str().ok());
            (tls, clock(date))
        }
        Err(ClientError::Connection { trouble }) => {
            let text = trouble.to_string();
            let (said, next) = text.split_once("; ").unwrap_or((&text, "ask the operator"));
            (Finding::fail("tls", said, next), Finding::skipped("clock", "TLS"))
        }
        Err(error) => (
            Finding::fail(
                "tls",
                error.to_string(),
                "check that the address is the gateway's and no proxy answers for it",
            ),
            Finding::skipped("clock", "TLS"),
        ),
    }
}

fn clock(date: Option<&str>) -> Finding {
    let theirs = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
    let Some(theirs) = theirs else {
        return Finding::warn("clock", "the gateway's answer carried no time", "set this machine's clock by NTP");
    };
    told(now().as_seconds() - theirs.timestamp().as_second())
}

fn told(ahead: i64) -> Finding {
    let way = if ahead < 0 { "behind" } else { "ahead of" };
    let said = format!("{} s {way} the gateway's", ahead.abs());
    let next = "set this machine's clock by NTP: the gateway refuses assertions that are more than 30 s off";
    match ahead.abs() {
        0..=NOTICED_SECONDS => Finding::ok("clock", said),
        off if off < REFUSED_SECONDS => Finding::warn("clock", said, next),
        _ => Finding::fail("clock", said, next),
    }
}

async fn token(session: &mut Session) -> Finding {
    match session.headers(None).await {
        Ok(_) => Finding::ok("token", "the gateway gave an access token"),
        Err(failure) => Finding::of("token", &failure),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn the_clock_is_right_within_ten_seconds_and_wrong_from_thirty() {
        for (ahead, verdict, words) in [
            (0, Verdict::Ok, "0 s ahead"),
            (-10, Verdict::Ok, "10 s behind"),
            (11, Verdict::Warn, "11 s ahead"),
            (-29, Verdict::Warn, "29 s behind"),
            (30, Verdict::Fail, "30 s ahead"),
        ] {
            let finding = told(ahead);
            assert_eq!(finding.verdict, verdict, "{ahead}");
            assert!(finding.said.contains(words), "{}", finding.said);
        }
        assert_eq!(clock(None).verdict, Verdict::Warn);
        assert!(clock(Some("Sun, 06 Nov 1994 08:49:37 GMT")).is_fail());
    }

    #[test]
    fn a_name_a_port_and_an_address_are_told_apart() {
        assert!(resolve("https://no-such-host.invalid:8443").is_err_and(|finding| finding.check == "dns"));
        assert!(resolve("not an address").is_err_and(|finding| finding.said.contains("form")));
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let (_, addresses) = resolve(&format!("https://127.0.0.1:{}", free.port())).expect("an address");
        let finding = connect(&addresses);
        assert!(finding.is_fail() && finding.said.contains("nothing listens"), "{}", finding.said);
    }
}
