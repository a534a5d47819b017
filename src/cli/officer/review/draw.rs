//! `porth review draw`: a sample is drawn from the log; `--repeat` draws one again and compares.

use clap::Args;

use super::review_failure;
use crate::app::review::draw::{Draw, Drawn};
use crate::cli::operator::{ConfigFile, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::EventId;
use crate::domain::review::sample::Strategy;
use crate::domain::time::Timestamp;
use crate::tlog::entry::{Code, Facet};

/// Arguments of `porth review draw`.
#[derive(Debug, Args)]
pub(super) struct DrawArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Draw this plan again and compare, instead of drawing
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["strategy", "since", "until", "seed", "by", "reason"])]
    repeat: Option<EventId>,
    /// random, stratified, risk or targeted
    #[arg(long, required_unless_present = "repeat")]
    strategy: Option<Strategy>,
    /// Disclosures from this moment on, such as 2026-07-01T00:00:00Z
    #[arg(long, required_unless_present = "repeat")]
    since: Option<Timestamp>,
    /// Disclosures before this moment
    #[arg(long, required_unless_present = "repeat")]
    until: Option<Timestamp>,
    /// How many are wanted
    #[arg(long, default_value_t = 20)]
    size: usize,
    /// The least of each stratum, where the strategy is stratified
    #[arg(long, default_value_t = 1)]
    minimum: usize,
    /// A seed of 64 hexadecimal digits, of dice for instance; without one the gateway makes it
    #[arg(long)]
    seed: Option<String>,
    /// Only disclosures of this agency
    #[arg(long)]
    agency: Option<Code>,
    /// Only of this criteria area, or another item such as lead
    #[arg(long)]
    area: Option<Code>,
    /// Only under this legal power
    #[arg(long)]
    power: Option<Code>,
    /// Only for this purpose
    #[arg(long)]
    purpose: Option<Code>,
    /// Only entries of this type
    #[arg(long = "type")]
    kind: Option<Code>,
    /// Only under this agreement version
    #[arg(long)]
    under: Option<Code>,
    /// An area that counts as a risk, such as one of health or domestic abuse; may be given several times
    #[arg(long = "weigh-area")]
    weigh_areas: Vec<Code>,
    /// An entry that a complaint names, where the sample is targeted; may be given several times
    #[arg(long = "entry")]
    entries: Vec<EventId>,
    /// Your account, for the log; never a person's name
    #[arg(long, required_unless_present = "repeat")]
    by: Option<String>,
    /// Why, as a code for the log, such as quarter:2026-3
    #[arg(long, required_unless_present = "repeat")]
    reason: Option<String>,
}

/// Draws, or draws again.
pub(super) fn run(args: &DrawArgs, output: Output) -> Result<(), Failure> {
    if let Some(plan) = args.repeat {
        return repeat(args, plan, output);
    }
    let (Some(strategy), Some(since), Some(until), Some(by), Some(reason)) =
        (args.strategy, args.since, args.until, &args.by, &args.reason)
    else {
        return Err(Failure::failed("a draw needs --strategy, --since, --until, --by and --reason"));
    };
    if strategy == Strategy::Always {
        return Err(Failure::failed("what is always reviewed joins the sample by itself"));
    }
    let facets = [
        (Facet::Agency, &args.agency),
        (Facet::Area, &args.area),
        (Facet::Power, &args.power),
        (Facet::Purpose, &args.purpose),
        (Facet::Kind, &args.kind),
        (Facet::Agreement, &args.under),
    ];
    let wanted = Draw {
        strategy,
        since,
        until,
        filters: facets.into_iter().filter_map(|(facet, value)| Some((facet, value.clone()?))).collect(),
        weigh_areas: args.weigh_areas.clone(),
        entries: args.entries.clone(),
        size: args.size,
        minimum: if strategy == Strategy::Stratified { args.minimum } else { 0 },
        seed: args.seed.as_deref().map(seed_of).transpose()?,
    };
    let config = args.config.read()?;
    let drawn = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.draw_review(&wanted, by, reason).await.map_err(review_failure)
    }))?;
    let Drawn { plan, said, sample } = &drawn;
    let mut lines = vec![
        format!("Plan {plan}: {} of {} disclosures, in {} strata.", said.sample, said.population, said.strata),
        format!("Seed {} ({}).", said.seed, said.seed_from),
    ];
    lines.extend(sample.iter().map(|(index, event)| format!("{index} {event}")));
    let value = serde_json::json!({
        "plan": plan.to_string(), "said": said,
        "sample": sample.iter().map(|(index, event)| serde_json::json!({ "index": index, "entry": event.to_string() }))
            .collect::<Vec<_>>(),
    });
    output.result(lines.join("\n"), &value);
    Ok(())
}

fn repeat(args: &DrawArgs, plan: EventId, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let again = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.repeat_draw(plan).await.map_err(review_failure)
    }))?;
    let word = if again.is_same { "the same" } else { "NOT the same" };
    let text = format!(
        "Drawn again from the first {} entries with the recorded seed: population and sample are {word}.\n\
         Population {} ({}), sample {} ({}).",
        again.said.log_size, again.said.population, again.population_sha256, again.said.sample, again.sample_sha256
    );
    let value = serde_json::json!({
        "plan": plan.to_string(), "is_same": again.is_same, "population_sha256": again.population_sha256,
        "sample_sha256": again.sample_sha256,
    });
    output.result(text, &value);
    if again.is_same {
        return Ok(());
    }
    Err(Failure::faulty("the log gives another sample than the one that was recorded")
        .next("verify the log, and its index with `porth log index`"))
}

/// A seed as it is typed.
fn seed_of(text: &str) -> Result<[u8; 32], Failure> {
    let wrong = || Failure::failed("a seed is 64 hexadecimal digits");
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() == 64).ok_or_else(wrong)?;
    let (pairs, _) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().filter_map(|[high, low]| u8::try_from(high * 16 + low).ok()).collect();
    bytes.try_into().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_64_hexadecimal_digits() {
        assert_eq!(seed_of(&"0f".repeat(32)).expect("a seed"), [15; 32]);
        for bad in ["", "0f", &"0g".repeat(32), &"0".repeat(65)] {
            assert!(seed_of(bad).is_err(), "{bad}");
        }
    }
}
