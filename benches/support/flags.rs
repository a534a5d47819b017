//! `--name value` pairs of a bench's command line.

use std::time::Duration;

use super::Backend;

/// The flags that were given.
pub(crate) struct Flags(Vec<(String, String)>);

impl Flags {
    /// Reads the command line; a flag that is not known ends the bench with the list of those that are.
    pub(crate) fn read(known: &[(&str, &str)]) -> Self {
        let mut given = Vec::new();
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let name = argument.trim_start_matches("--").to_owned();
            if let (true, Some(value)) = (known.iter().any(|(known, _)| *known == name), arguments.next()) {
                given.push((name, value));
            } else {
                for (name, meaning) in known {
                    println!("--{name} {meaning}");
                }
                std::process::exit(2);
            }
        }
        Self(given)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str, otherwise: usize) -> usize {
        self.get(name).map_or(otherwise, |text| text.parse().expect("a number"))
    }

    pub(crate) fn numbers(&self, name: &str, otherwise: &[usize]) -> Vec<usize> {
        let parse =
            |text: &str| text.split(',').map(|one| one.parse().expect("numbers, commas between them")).collect();
        self.get(name).map_or_else(|| otherwise.to_vec(), parse)
    }

    pub(crate) fn seconds(&self, name: &str, otherwise: u64) -> Duration {
        Duration::from_secs(self.number(name, otherwise as usize) as u64)
    }

    /// `sqlite`, `postgres` or both, PostgreSQL only where a cluster was started.
    pub(crate) fn engines(&self) -> Vec<Backend> {
        match self.get("engine") {
            Some("sqlite") => vec![Backend::Sqlite],
            Some("postgres") => vec![Backend::Postgres],
            _ if std::env::var_os("PORTH_TEST_POSTGRES").is_some() => vec![Backend::Sqlite, Backend::Postgres],
            _ => {
                println!("PostgreSQL is left out: `scripts/bench` starts one");
                vec![Backend::Sqlite]
            }
        }
    }
}
