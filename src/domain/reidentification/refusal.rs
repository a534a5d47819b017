//! Why a step of a re-identification is refused: one code and one sentence for each way.

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $say:literal;)*) => {
        /// Why a step is refused, at the gateway, at the source or on the data team's machine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
        pub enum Refusal {$(
            $(#[$doc])*
            #[error($say)]
            $name,
        )*}

        impl Refusal {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code in answers and log entries.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Reads a code.
            pub fn parse(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|refusal| refusal.code() == code)
            }
        }
    };
}

refusals! {
    /// No such request, or none that the caller has a part in.
    Unknown = "unknown", "no such request in which the caller has a part";
    /// The request is not where the step begins.
    NotDue = "not-due", "the request is not where this step begins";
    /// Time is up.
    Expired = "expired", "the request's time is up";
    /// The key is no officer's who may vote on this.
    WrongRole = "wrong-role", "the key is not an enrolled officer's of an agency that may approve this request";
    /// Nobody of the agency that asked may approve.
    SelfApproval = "self-approval", "nobody of the agency that asked may approve: not the person who asked, and no colleague";
    /// The person has approved already.
    DoubleVote = "double-vote", "this person has approved already, whatever the key";
    /// The signature was not made just now.
    StaleSignIn = "stale-sign-in", "the signature is older than five minutes, or from the future: sign in and sign again";
    /// The signature is not over this request.
    RequestAltered = "request-altered", "the signature does not hold over this request: it was altered, or another was signed";
    /// A vote that was given before.
    Replayed = "replayed", "this was given before";
    /// The source signed for another record than its own in this request.
    RecordMismatch = "record-mismatch", "the record that was signed is not the one of this request";
    /// Too few different people have approved.
    TooFewApprovals = "too-few-approvals", "too few different people have approved";
    /// Nobody of the source has approved.
    NoSourceApproval = "no-source-approval", "nobody of the source has approved, over its own record";
    /// A key that an approval rests on was revoked.
    OfficerRemoved = "officer-removed", "an officer who approved is no longer enrolled: too few approvals are left";
    /// The agreement does not stand any more.
    AgreementEnded = "agreement-ended", "the agreement does not allow it any more";
    /// Not the certificate in force for this request.
    OtherCertificate = "other-certificate", "not the certificate that is in force for this request";
    /// The certificate's quarter of an hour is over.
    CertificateExpired = "certificate-expired", "the certificate is no longer, or not yet, good";
    /// Not one of the two lengths.
    EnvelopeMalformed = "envelope-malformed", "not a sealed identity of one of the two fixed lengths";
    /// Only one envelope there ever is.
    AlreadyAnswered = "already-answered", "the request was answered already: there is one envelope";
    /// Something that it rests on went after the answer; what, is not told.
    Stopped = "stopped", "what the release rests on no longer stands: an approval, a key or the record; the envelope is removed";
    /// The key that the identity would be sealed to was revoked.
    RecipientRemoved = "recipient-removed", "the key that the identity would be sealed to is no longer enrolled: it may be in other hands";
    /// Not the requester's system, or not the key that was named.
    OtherRecipient = "other-recipient", "only the system that asked, with the key that it named, may collect";
    /// The receipt is of something else.
    OtherEnvelope = "other-envelope", "the receipt is not of this envelope";
    /// Not signed by a certificate key that is pinned.
    CertificateForged = "certificate-forged", "the certificate is not signed by the gateway's certificate key that is pinned here";
    /// The entry is not proved to be in the log.
    NotInLog = "not-in-log", "the certificate's entry is not proved to be in the log, under the keys and witnesses that are pinned here";
    /// An approval by somebody who is not pinned.
    UnknownOfficer = "unknown-officer", "an approval is by somebody whose key is not pinned here";
    /// Sealed to a key that is not pinned.
    UnknownRecipient = "unknown-recipient", "the recipient's key is not pinned here";
    /// The certificate is for another request than the one kept here.
    OtherRequest = "other-request", "the certificate is for another request than the one that is kept here";
    /// The envelope does not open.
    EnvelopeRefused = "envelope-refused", "the envelope does not open: it was sealed to another key, or for another request, record or agency";
    /// The envelope holds what nobody asked for.
    NotAskedFor = "not-asked-for", "the envelope holds more than the fields that the request names";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_code_of_its_own_and_reads_back() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::parse(refusal.code()), Some(*refusal));
        }
    }
}
