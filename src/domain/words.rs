//! Closed lists of words: an enum whose cases are one word each, the same in requests, the database and
//! the log.

/// The text is not one of the words that are allowed in its place. Names those, never the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of: {}", .0.join(", "))]
pub struct WordError(pub(crate) &'static [&'static str]);

/// Declares enums of words, with everything that reads and writes them.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {$(
            $(#[$case_doc])*
            $case,
        )*}

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$case),*];

            /// The word in requests, commands, the database and the log.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$case => $word,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::words::WordError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().copied().find(|known| known.as_str() == text);
                found.ok_or($crate::domain::words::WordError(&[$($word),*]))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use words;

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro declares public enums")]
mod tests {
    words! {
        /// A way to answer.
        Way {
            /// Yes.
            Yes = "yes",
            /// Not now.
            NotNow = "not-now",
        }
    }

    #[test]
    fn words_read_back_and_another_text_is_told_the_list_alone() {
        for way in Way::ALL {
            assert_eq!(way.to_string().parse(), Ok(*way));
            let json = serde_json::to_string(way).expect("writes");
            assert_eq!(json, format!("\"{way}\""));
            assert_eq!(serde_json::from_str::<Way>(&json).expect("reads"), *way);
        }
        let error = "perhaps".parse::<Way>().expect_err("no such word");
        assert_eq!(error.to_string(), "not one of: yes, not-now");
        let error = serde_json::from_str::<Way>("\"perhaps\"").expect_err("no such word");
        assert!(!error.to_string().contains("perhaps"), "{error}");
    }
}
