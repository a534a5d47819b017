//! What is said of a command line that is not understood: which argument, and what is allowed there. Never
//! what was typed: it may be a name or a reference, and the screen, the terminal's log and the support
//! ticket are no places for one.

use std::error::Error as _;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// The longest name of an option that is said back.
const LONGEST_NAME: usize = 32;

/// Ends a command line that was not understood, or that asks for help: exit code 2, or 0 for help.
pub(super) fn end(error: &Error) -> ExitCode {
    match sentence(error) {
        // Help, or a fault in which names of arguments alone take part.
        None => drop(error.print()),
        Some(sentence) if is_json() => {
            let value = serde_json::json!({ "error": sentence, "next": text(error, ContextKind::Usage) });
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{value}\n").as_bytes());
        }
        Some(sentence) => {
            let whole = whole(error, &sentence);
            let _ = std::io::Write::write_all(&mut std::io::stderr(), whole.as_bytes());
        }
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Whether results were asked for as JSON; the arguments could not be read, so this looks itself.
fn is_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

/// Everything that is printed.
fn whole(error: &Error, sentence: &str) -> String {
    let mut whole = format!("error: {sentence}\n");
    if let Some(usage) = text(error, ContextKind::Usage) {
        let _ = write!(whole, "\n{usage}\n");
    }
    whole.push_str("\nFor more information, try '--help'.\n");
    whole
}

/// What is wrong, in words; `None` where the usual text says nothing that was typed.
fn sentence(error: &Error) -> Option<String> {
    // For these kinds it is the argument as it was declared.
    let argument = || text(error, ContextKind::InvalidArg).unwrap_or_else(|| "an argument".to_owned());
    let typed = text(error, ContextKind::InvalidValue).unwrap_or_default();
    Some(match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::MissingSubcommand
        | ErrorKind::MissingRequiredArgument
        | ErrorKind::ArgumentConflict
        | ErrorKind::NoEquals => return None,
        ErrorKind::InvalidValue if typed.is_empty() => {
            format!("'{}' has no value{}", argument(), allowed(error, ContextKind::ValidValue))
        }
        ErrorKind::InvalidValue => {
            format!("'{}' has a value that is not allowed{}", argument(), allowed(error, ContextKind::ValidValue))
        }
        ErrorKind::ValueValidation => match cause(error, &typed) {
            Some(cause) => format!("'{}' has a value that is refused: {cause}", argument()),
            None => format!("'{}' has a value that is refused", argument()),
        },
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("'{}' has more or fewer values than it takes", argument())
        }
        ErrorKind::UnknownArgument => unknown(error),
        ErrorKind::InvalidSubcommand => {
            format!("there is no such command{}", allowed(error, ContextKind::SuggestedSubcommand))
        }
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        _ => "the command line was not understood".to_owned(),
    })
}

/// The words of a closed list, such as the values that an argument takes.
fn allowed(error: &Error, of: ContextKind) -> String {
    let words = match error.get(of) {
        Some(ContextValue::Strings(words)) => words.join(", "),
        Some(ContextValue::String(word)) => word.clone(),
        _ => return String::new(),
    };
    let lead = if of == ContextKind::ValidValue { "it takes" } else { "did you mean" };
    if words.is_empty() { String::new() } else { format!("; {lead}: {words}") }
}

/// Why a parser refused a value: in the parser's words, without the value.
fn cause(error: &Error, typed: &str) -> Option<String> {
    let cause = error.source()?.to_string();
    match cause.strip_prefix(typed) {
        // The parser of numbers says the number before its bounds.
        Some(rest) if !typed.is_empty() && rest.starts_with(" is not in ") => Some(format!("it{rest}")),
        _ if typed.is_empty() || !cause.contains(typed) => Some(cause),
        _ => None,
    }
}

/// An argument that the command does not take: a name is said back, a value is only counted.
fn unknown(error: &Error) -> String {
    let typed = text(error, ContextKind::InvalidArg).unwrap_or_default();
    let name = typed.strip_prefix("--").filter(|name| (2..=LONGEST_NAME).contains(&name.len()));
    let is_name = name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
    let mut sentence = if is_name {
        format!("this command has no argument '{typed}'")
    } else {
        let is_it = |argument: &std::ffi::OsString| argument.to_str().is_some_and(|text| text == typed);
        let place = std::env::args_os().skip(1).position(|argument| is_it(&argument));
        match place {
            Some(place) => format!("this command does not take its argument number {}", place + 1),
            None => "this command does not take one of its arguments".to_owned(),
        }
    };
    sentence.push_str(&allowed(error, ContextKind::SuggestedArg));
    sentence
}

fn text(error: &Error, of: ContextKind) -> Option<String> {
    match error.get(of)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command, CommandFactory as _, Parser as _};

    use super::super::Cli;
    use super::*;

    /// Its first letter is in no command of ours: a parser that says which letter it stumbled over is caught.
    const TYPED: &str = "Ŵmffre Penrose";

    fn said(words: &[String]) -> Option<(ErrorKind, String)> {
        let error = Cli::try_parse_from(words).err()?;
        Some((error.kind(), sentence(&error).map_or_else(|| error.to_string(), |said| whole(&error, &said))))
    }

    /// The same with every argument of a command and of those below it.
    fn visit(command: &Command, path: &[String], seen: &mut Vec<(ErrorKind, String)>) {
        for argument in command.get_arguments().filter(|argument| takes_value(argument)) {
            let option = argument.get_long().map(|long| format!("--{long}"));
            let words: Vec<String> = path.iter().cloned().chain(option).chain([TYPED.to_owned()]).collect();
            seen.extend(said(&words).map(|(kind, text)| (kind, format!("{} {}\n{text}", path.join(" "), argument))));
        }
        for inner in command.get_subcommands() {
            let path: Vec<String> = path.iter().cloned().chain([inner.get_name().to_owned()]).collect();
            visit(inner, &path, seen);
        }
        let stray: Vec<String> = path.iter().cloned().chain([TYPED.to_owned(), TYPED.to_owned()]).collect();
        seen.extend(said(&stray));
    }

    fn takes_value(argument: &Arg) -> bool {
        argument.get_action().takes_values()
    }

    #[test]
    fn no_argument_of_any_command_is_said_back() {
        let (mut command, mut seen) = (Cli::command(), Vec::new());
        command.build();
        visit(&command, &["porth".to_owned()], &mut seen);
        for (_, text) in &seen {
            assert!(!text.contains('Ŵ') && !text.contains("Penrose"), "{text}");
        }
        let refused = |wanted: ErrorKind| seen.iter().filter(|(kind, _)| *kind == wanted).count();
        assert!(refused(ErrorKind::ValueValidation) > 100, "{}", refused(ErrorKind::ValueValidation));
        assert!(refused(ErrorKind::UnknownArgument) > 10 && refused(ErrorKind::InvalidSubcommand) > 10);
    }

    #[test]
    fn a_refusal_names_the_argument_and_what_is_allowed() {
        let said = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            said(&words).expect("refused").1
        };
        let text = said("porth log find --limit 9999");
        assert!(text.contains("'--limit <LIMIT>'") && text.contains("it is not in 1..=200"), "{text}");
        let text = said("porth review second 0199b4a0-7c00-7000-8000-000000000009 jane");
        assert!(text.contains("it takes: confirm, return"), "{text}");
        let text = said("porth log find --agenci housing");
        assert!(text.contains("no argument '--agenci'") && text.contains("did you mean: --agency"), "{text}");
        let text = said("porth logg");
        assert!(text.contains("did you mean: ") && text.contains("log"), "{text}");
        let text = said("porth review decide x --due 31/12/2026");
        assert!(!text.contains("31/12"), "{text}");
        let text = said("porth not-to-share --asked-by landlord --item A2 --purpose p --reason r --basis b");
        let missing = text.split("Usage").next().unwrap_or_default();
        assert!(missing.contains("--config <FILE>|--connection <CONNECTION>") && !missing.contains("--keys"), "{text}");
        let text = said("porth log erase --config c --by x --reason y");
        assert!(text.contains("--entry <ENTRY>|--case <CASE>"), "{text}");
        assert!(said("porth retention hold").contains("--config <FILE>"), "what is missing is still named");
        assert!(said("porth log find").contains("Usage: porth log find"), "{}", said("porth log find"));
    }
}
