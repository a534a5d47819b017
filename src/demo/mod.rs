//! `porth demo`: the whole programme on this machine, with invented people.
//!
//! | module | what |
//! |---|---|
//! | [`population`] | the people, the agencies' files, and the truth |
//! | `policy_files` | the example policies, inside the program |
//! | `workshop` | the gateway: keys, certificates, policies, listeners |
//! | `partner` | an agency's machine |
//! | `kept` | what stays for whoever wants to go on |
//! | `story` | what happens, chapter by chapter |
//! | [`sandbox`] | a gateway that a new agency practises on |
//! | `desk` | what officers find to do in its console |
//! | `ledger` | the log in an auditor's hands |
//! | `report` | how it is told, and whether each claim held |
//! | [`bulk`] | how long the matching of several agencies takes |

mod answers;
pub mod bulk;
mod desk;
mod kept;
mod ledger;
mod partner;
mod policy_files;
pub mod population;
mod report;
pub mod sandbox;
mod story;
mod trouble;
mod workshop;

use clap::{Args, value_parser};

use self::report::Story;
use self::trouble::{Trouble, trouble};
use self::workshop::Folder;
use crate::cli::output::{Failure, Output};

/// Arguments of `porth demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep the folder, and leave the gateway running until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// The seed of the invented people
    #[arg(long, default_value_t = 2016)]
    seed: u64,
    /// How many people there are besides the programme's 1,966 families
    #[arg(long, default_value_t = 6_000, value_parser = value_parser!(u32).range(1_000..=1_000_000))]
    people: u32,
    /// How many families the Hub screens; its agreement allows 600 enquiries a day
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u32).range(10..=550))]
    enquiries: u32,
}

/// Runs `porth demo`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 4 if a claim did not hold.
pub fn run(args: DemoArgs, output: &Output) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format_args!("the runtime did not start: {error}")))?;
    runtime.block_on(play(&args, Story::new(*output), output))
}

async fn play(args: &DemoArgs, mut story: Story, output: &Output) -> Result<(), Failure> {
    let folder = Folder::create(args.keep)?;
    if args.keep {
        output.note(format_args!("folder: {}", folder.path().display()));
    }
    let workshop = tokio::select! {
        told = story::tell(args, &mut story, &folder) => told?,
        // The folder goes away with everything in it.
        _ = tokio::signal::ctrl_c() => return Err(Trouble::new("Ctrl-C", "the story was not told to its end").into()),
    };
    let verdict = story.end();
    if args.keep {
        desk::furnish(workshop.gateway()).await?;
        output.note(format_args!("agencies: https://localhost:{}", workshop.running.agencies.port()));
        output.note(format_args!("operator: http://{}", workshop.running.operator));
        kept::leave(&workshop, folder.path()).await?;
        output.note(format_args!("In another terminal:\n  {}", kept::commands(folder.path())));
        if let Some(console) = workshop.running.console {
            output.note(format_args!(
                "console: https://localhost:{} (sign in as anybody; your browser does not know its certificate)",
                console.port()
            ));
        }
        output.note("Ctrl-C ends the gateway; the folder stays.");
        tokio::signal::ctrl_c().await.map_err(trouble("Ctrl-C"))?;
    }
    workshop.running.stop().await;
    verdict
}
