//! Why no answer came, in words that say what to check.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription as Alert, CertificateError as Bad, Error as Tls};

/// Why the gateway could not be reached, as far as this side can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nobody listens there.
    #[error(
        "connection-refused: nothing listens at that address; check the host name and the port, and that the gateway runs"
    )]
    Refused,
    /// The name has no address.
    #[error("name-not-found: the host name has no address; check its spelling and this machine's DNS")]
    NameNotFound,
    /// No connection in time, or no route.
    #[error(
        "unreachable: no connection came about; check the network, the firewall and the proxy rules of this machine"
    )]
    Unreachable,
    /// The gateway's certificate is from an authority that this machine was not told to trust.
    #[error(
        "gateway-not-trusted: the gateway's certificate is not signed by the authority in the roots file; \
             check that the roots file is the one the operator gave you and that no proxy opens the traffic"
    )]
    GatewayNotTrusted,
    /// The gateway's certificate is for another name.
    #[error(
        "gateway-name-mismatch: the gateway's certificate is for another host name; check the host name in the address"
    )]
    GatewayName,
    /// The gateway's certificate is outside its dates.
    #[error(
        "gateway-certificate-lapsed: the gateway's certificate is outside its dates; check this machine's clock, then tell the operator"
    )]
    GatewayLapsed,
    /// The gateway's certificate is on the authority's revocation list.
    #[error(
        "gateway-certificate-revoked: the gateway's certificate was revoked: whoever answers may not be the gateway; \
             send nothing and tell the operator"
    )]
    GatewayRevoked,
    /// The gateway's authority has no revocation list among those that this client was given.
    #[error(
        "gateway-revocation-unknown: the file of revocation lists has none of the authority that signed the gateway's \
             certificate; fetch that authority's newest list"
    )]
    GatewayRevocationUnknown,
    /// The gateway wants a certificate and got none.
    #[error(
        "certificate-required: the gateway asked for a client certificate; give this client its certificate and key"
    )]
    CertificateRequired,
    /// Our certificate has been revoked.
    #[error(
        "certificate-revoked: the gateway says that this client's certificate is revoked; ask the operator for a new one"
    )]
    CertificateRevoked,
    /// Our certificate is outside its dates.
    #[error(
        "certificate-lapsed: this client's certificate is outside its dates; check this machine's clock, then renew it"
    )]
    CertificateLapsed,
    /// Our certificate's authority is not trusted there, or its revocation list lapsed.
    #[error(
        "certificate-authority-unknown: the gateway does not accept the authority that signed this client's certificate, \
             or that authority's revocation list is out of date; check that the certificate is the enrolled one, then tell the operator"
    )]
    CertificateAuthority,
    /// Our certificate cannot be used for this.
    #[error(
        "certificate-unsuitable: the gateway does not accept this client's certificate; it must be issued for client authentication"
    )]
    CertificateUnsuitable,
    /// No common TLS version.
    #[error(
        "tls-version: the other side does not speak TLS 1.3; check that the address is the gateway's and no proxy opens the traffic"
    )]
    TlsVersion,
    /// Not TLS at all, or not as it should be.
    #[error("not-tls: the other side does not speak TLS as it should; check that the port is the gateway's TLS port")]
    NotTls,
    /// The connection broke off.
    #[error(
        "connection-lost: the connection broke off before an answer came; try again, and if it happens every time \
             check that this client's certificate is enrolled"
    )]
    Lost,
}

impl Trouble {
    /// Reads the trouble from an error and what lies beneath it.
    pub(super) fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut cause = Some(error);
        let mut found = Self::Lost;
        while let Some(error) = cause {
            if let Some(tls) = error.downcast_ref::<Tls>() {
                return Self::of_tls(tls);
            }
            if let Some(io) = error.downcast_ref::<io::Error>() {
                // An io::Error's `source` skips the error that it wraps, so look inside.
                if let Some(inner) = io.get_ref() {
                    if let Some(tls) = inner.downcast_ref::<Tls>() {
                        return Self::of_tls(tls);
                    }
                    found = Self::of(inner);
                }
                if found == Self::Lost {
                    found = Self::of_io(io.kind());
                }
            }
            if found == Self::Lost && error.to_string().contains("dns error") {
                found = Self::NameNotFound;
            }
            cause = error.source();
        }
        found
    }

    fn of_io(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::Unreachable
            }
            _ => Self::Lost,
        }
    }

    fn of_tls(error: &Tls) -> Self {
        match error {
            Tls::InvalidCertificate(bad) => match bad {
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Self::GatewayName,
                Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                    Self::GatewayLapsed
                }
                Bad::Revoked => Self::GatewayRevoked,
                Bad::UnknownRevocationStatus => Self::GatewayRevocationUnknown,
                _ => Self::GatewayNotTrusted,
            },
            Tls::AlertReceived(alert) => match alert {
                Alert::CertificateRequired | Alert::NoCertificate => Self::CertificateRequired,
                Alert::CertificateRevoked => Self::CertificateRevoked,
                Alert::CertificateExpired => Self::CertificateLapsed,
                Alert::UnknownCA => Self::CertificateAuthority,
                Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateUnknown
                | Alert::AccessDenied
                | Alert::DecryptError => Self::CertificateUnsuitable,
                Alert::ProtocolVersion => Self::TlsVersion,
                Alert::UnrecognisedName => Self::GatewayName,
                _ => Self::NotTls,
            },
            Tls::PeerIncompatible(_) => Self::TlsVersion,
            _ => Self::NotTls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_however_deep_it_lies() {
        let alert = |alert| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, Tls::AlertReceived(alert)));
        assert_eq!(Trouble::of(&alert(Alert::CertificateRevoked)), Trouble::CertificateRevoked);
        assert_eq!(Trouble::of(&alert(Alert::CertificateRequired)), Trouble::CertificateRequired);
        assert_eq!(Trouble::of(&io::Error::from(io::ErrorKind::ConnectionRefused)), Trouble::Refused);
        assert_eq!(Trouble::of(&io::Error::other("odd")), Trouble::Lost);
        let lapsed = io::Error::other(Tls::InvalidCertificate(Bad::Expired));
        assert_eq!(Trouble::of(&lapsed), Trouble::GatewayLapsed);
        let revoked = io::Error::other(Tls::InvalidCertificate(Bad::Revoked));
        assert_eq!(Trouble::of(&revoked), Trouble::GatewayRevoked);
    }
}
