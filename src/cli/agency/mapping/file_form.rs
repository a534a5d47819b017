//! How the agency's file is written: what parts its cells, and which bytes stand for which letters.

use serde::{Deserialize, Serialize};

/// What the mapping says of the file itself. What it leaves open is detected, the encoding as UTF-8.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileForm {
    /// What parts the cells.
    pub delimiter: Option<Delimiter>,
    /// Which bytes stand for which letters.
    #[serde(default)]
    pub encoding: Encoding,
}

/// What parts the cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delimiter {
    /// `,`
    #[serde(alias = ",")]
    Comma,
    /// `;`, as spreadsheets write where the comma parts whole numbers from decimals.
    #[serde(alias = ";")]
    Semicolon,
    /// A tab.
    #[serde(alias = "\t")]
    Tab,
    /// `|`
    #[serde(alias = "|")]
    Pipe,
}

impl Delimiter {
    /// All of them, the likeliest first.
    pub(in crate::cli::agency) const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Pipe];

    pub(in crate::cli::agency) fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Pipe => b'|',
        }
    }

    /// The word in the mapping.
    pub(in crate::cli::agency) fn as_str(self) -> &'static str {
        match self {
            Self::Comma => "comma",
            Self::Semicolon => "semicolon",
            Self::Tab => "tab",
            Self::Pipe => "pipe",
        }
    }
}

/// Which bytes stand for which letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    #[serde(rename = "utf-8", alias = "UTF-8")]
    Utf8,
    /// Windows-1252, which Windows programs call ANSI or Western European.
    #[serde(rename = "windows-1252", alias = "Windows-1252")]
    Windows1252,
}

impl Encoding {
    /// The word in the mapping.
    pub(in crate::cli::agency) fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// Appends the text that these bytes stand for.
    pub(in crate::cli::agency) fn decode(self, bytes: &[u8], out: &mut String) -> Result<(), &'static str> {
        let utf8 = std::str::from_utf8(bytes);
        match (self, utf8) {
            (Self::Utf8, Ok(text)) => out.push_str(text),
            (Self::Utf8, Err(_)) => return Err(NOT_UTF8),
            (Self::Windows1252, Ok(text)) if text.is_ascii() => out.push_str(text),
            // No word of any language is written with the pairs that UTF-8 shows in this encoding:
            // reading them so would make a wrong name, and a token that matches nobody.
            (Self::Windows1252, Ok(_)) => return Err(IS_UTF8),
            (Self::Windows1252, Err(_)) => {
                for &byte in bytes {
                    out.push(windows_1252(byte).ok_or(NOT_WINDOWS_1252)?);
                }
            }
        }
        Ok(())
    }
}

pub(in crate::cli::agency) const NOT_UTF8: &str = "cell.not_utf8";
pub(in crate::cli::agency) const IS_UTF8: &str = "cell.is_utf8";
const NOT_WINDOWS_1252: &str = "cell.not_windows_1252";

/// Every code of an encoding with what it means and what to do.
pub(in crate::cli::agency) const ENCODING_CODES: &[(&str, &str)] = &[
    (
        NOT_UTF8,
        "The cell is not UTF-8 text. Save the sheet as \"CSV UTF-8\", or write `encoding = \"windows-1252\"` under [file] of the mapping if an older Windows program wrote it.",
    ),
    (
        IS_UTF8,
        "The mapping declares Windows-1252, but the cell is UTF-8 text. Write `encoding = \"utf-8\"` under [file] of the mapping.",
    ),
    (NOT_WINDOWS_1252, "The mapping declares Windows-1252, but the cell has a byte that it does not use."),
];

/// The letter of a byte in Windows-1252: as in Unicode, but for 0x80 to 0x9f.
fn windows_1252(byte: u8) -> Option<char> {
    const HIGH: [char; 32] = [
        '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”',
        '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
    ];
    let letter = match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => return Some(char::from(byte)),
    };
    (letter != '\0').then_some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: Encoding, bytes: &[u8]) -> Result<String, &'static str> {
        let mut text = String::new();
        encoding.decode(bytes, &mut text).map(|()| text)
    }

    #[test]
    fn windows_1252_is_read_by_its_own_table() {
        let text = decode(Encoding::Windows1252, b"Jos\xe9 \x93Zo\xeb\x94 O\x92Brien \x8aimon \x80").expect("letters");
        assert_eq!(text, "José “Zoë” O’Brien Šimon €");
        let undefined = [0x81, 0x8d, 0x8f, 0x90, 0x9d];
        for byte in 0x80..=0xff_u8 {
            assert_eq!(windows_1252(byte).is_none(), undefined.contains(&byte), "{byte:x}");
        }
        assert_eq!(windows_1252(0xa0), Some('\u{a0}'));
        assert_eq!(decode(Encoding::Windows1252, b"Jos\xe9\x81"), Err(NOT_WINDOWS_1252));
    }

    #[test]
    fn neither_encoding_is_taken_for_the_other() {
        assert_eq!(decode(Encoding::Utf8, b"Jos\xe9"), Err(NOT_UTF8));
        assert_eq!(decode(Encoding::Windows1252, "José".as_bytes()), Err(IS_UTF8));
        assert_eq!(decode(Encoding::Utf8, "José".as_bytes()), Ok("José".to_owned()));
        assert_eq!(decode(Encoding::Windows1252, b"Jose"), Ok("Jose".to_owned()));
    }
}
