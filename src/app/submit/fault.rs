//! What can be wrong with a submitted file as a whole.

/// Why a whole submission is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// The first line is not a header.
    #[error("the first line is not a submission header")]
    Header,
    /// The header names another programme.
    #[error("this gateway does not serve the header's programme")]
    Programme,
    /// The header names another agency than the caller's.
    #[error("the header's agency is not the caller's")]
    Agency,
    /// The calendar has no such feed of the agency.
    #[error("the programme's calendar has no such feed of this agency")]
    Feed,
    /// No supply term that is signed and in force covers the feed.
    #[error("the agreement is not in force with a supply term of this agency")]
    Agreement,
    /// The operator suspended the feed.
    #[error("the feed is suspended: ask the gateway's operator why")]
    Suspended,
    /// The operator suspended who sent the file.
    #[error(
        "the agency or the system that sent the file is suspended: ask the gateway's operator why, then send it again"
    )]
    SenderSuspended,
    /// Another token scheme or normalisation version.
    #[error("the token scheme or normalisation version is not the programme's")]
    Scheme,
    /// Made with other match keys.
    #[error("the file was made with another version of the match keys")]
    MatchKeys,
    /// A key check differs: the tokens were made with another key.
    #[error("a key check differs from the registered one: the tokens were made with another linkage key")]
    WrongKey,
    /// No key check is registered for an epoch or type.
    #[error("no key check is registered for an epoch and type of the header")]
    UnknownKey,
    /// The epoch is frozen: its key may be in wrong hands.
    #[error("the linkage key's epoch is frozen: make the file again with the next epoch's key alone")]
    FrozenKey,
    /// The epoch is over.
    #[error("the linkage key's epoch is retired: make the file again with the present epoch's key alone")]
    RetiredKey,
    /// The agency's system has not shown on the test people that it makes the right tokens.
    #[error(
        "this system has not shown that it makes the programme's tokens of every type in the header: run `porth check-tokens`"
    )]
    UncheckedTokens,
    /// Tokens of a type whose key the agreements do not give the agency.
    #[error("the file has tokens of a type that the agency's agreements do not give it the key of")]
    NotGranted,
    /// The day described lies in the future.
    #[error("the day that the file describes lies in the future")]
    Future,
    /// An older day than the feed's present snapshot describes.
    #[error("the file describes an older day than the feed shows")]
    Older,
    /// A delta of a feed that shows nothing.
    #[error("the feed shows no snapshot that a delta could change: send a snapshot")]
    NoSnapshot,
    /// A delta under another agreement than the feed's present snapshot.
    #[error("a delta comes under the same agreement as the snapshot that it changes")]
    OtherAgreement,
    /// A delta while an earlier submission of the feed is not visible yet.
    #[error("an earlier submission of the feed is not visible yet: send the delta again when it is")]
    FeedBusy,
    /// The feed shows something else than when the delta was received.
    #[error("the feed changed while the delta arrived: send the delta again")]
    BaseChanged,
    /// The agency took the submission back before it was visible.
    #[error("the agency took the submission back before it was visible")]
    Retracted,
    /// An upload is gone on with from another place than where it broke off, or with another file.
    #[error("the lines do not go on where the upload broke off: ask what is held, or send the file from its beginning")]
    Continuation,
    /// Another file of the feed came before this one, which had broken off, went on.
    #[error("the upload broke off, and another file of the feed was sent instead")]
    Superseded,
    /// The last line is not the end line, or counts other rows.
    #[error("the file is incomplete: its end line is missing or counts other rows")]
    Truncated,
    /// A CSV file whose second line is not a row of the format's column names.
    #[error("the second line is not a row of column names that the format defines, each once, `ref` among them")]
    Columns,
    /// No row at all.
    #[error("the file has no rows")]
    Empty,
    /// All or nothing, and some rows are bad.
    #[error("some rows are bad and the file asked for all or nothing")]
    Rows,
}

impl FileFault {
    /// Every fault.
    pub const ALL: [Self; 28] = [
        Self::Header,
        Self::Programme,
        Self::Agency,
        Self::Feed,
        Self::Agreement,
        Self::Suspended,
        Self::SenderSuspended,
        Self::Scheme,
        Self::MatchKeys,
        Self::WrongKey,
        Self::UnknownKey,
        Self::FrozenKey,
        Self::RetiredKey,
        Self::UncheckedTokens,
        Self::NotGranted,
        Self::Future,
        Self::Older,
        Self::NoSnapshot,
        Self::OtherAgreement,
        Self::FeedBusy,
        Self::BaseChanged,
        Self::Retracted,
        Self::Continuation,
        Self::Superseded,
        Self::Truncated,
        Self::Columns,
        Self::Empty,
        Self::Rows,
    ];

    /// The code in answers and in the database.
    pub fn code(self) -> &'static str {
        match self {
            Self::Header => "file.header",
            Self::Programme => "file.programme",
            Self::Agency => "file.agency",
            Self::Feed => "file.feed",
            Self::Agreement => "file.agreement",
            Self::Suspended => "feed.suspended",
            Self::SenderSuspended => "sender.suspended",
            Self::Scheme => "file.scheme",
            Self::MatchKeys => "file.match_keys",
            Self::WrongKey => "key.wrong",
            Self::UnknownKey => "key.unregistered",
            Self::FrozenKey => "key.frozen",
            Self::RetiredKey => "key.retired",
            Self::UncheckedTokens => "key.unchecked",
            Self::NotGranted => "key.not_granted",
            Self::Future => "file.future",
            Self::Older => "file.older",
            Self::NoSnapshot => "file.no_snapshot",
            Self::OtherAgreement => "file.other_agreement",
            Self::FeedBusy => "file.feed_busy",
            Self::BaseChanged => "file.base_changed",
            Self::Retracted => "file.retracted",
            Self::Continuation => "upload.continuation",
            Self::Superseded => "upload.superseded",
            Self::Truncated => "file.truncated",
            Self::Columns => "file.columns",
            Self::Empty => "file.empty",
            Self::Rows => "file.rows",
        }
    }
}
