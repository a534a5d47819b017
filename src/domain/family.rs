//! A family as the programme keeps it: how it was found, which records are its own, who leads.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::evidence::Member;
use super::ids::{AgencyCode, FeedCode, OpaqueRef, TeamRoute};
use super::record::{Coverage, ServiceStatus};
use super::time::Month;

/// The purpose for which families are changed; for the programme's other purposes they are only read.
pub const CHANGING_PURPOSE: &str = "programme-delivery";

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// The word in requests, answers, the database and the log.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
        impl FromStr for $name {
            type Err = &'static str;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($word => Ok(Self::$variant),)* _ => Err($what) }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

words! {
    /// How a family came to the programme.
    IdentificationRoute = "not a route: use phase1_carry_over, referral or data_match" {
        /// Carried over from the programme's first phase.
        PhaseOneCarryOver = "phase1_carry_over",
        /// Somebody referred it.
        Referral = "referral",
        /// A match run found it.
        DataMatch = "data_match",
    }

    /// What happened to a family, as its history says it.
    FamilyEventKind = "not an event of a family" {
        /// Its number was issued.
        Issued = "issued",
        /// Records were added.
        RecordsAdded = "records_added",
        /// Enough areas are met and validation is done.
        Attached = "attached",
        /// It was seen to work with an agency after attachment.
        Engaged = "engaged",
        /// Another family became part of it.
        Merged = "merged",
        /// It became part of another family.
        MergedAway = "merged_away",
        /// Some of its people became another family.
        Split = "split",
        /// It was made of people of another family.
        SplitOff = "split_off",
        /// An agency took the lead.
        LeadStarted = "lead_started",
        /// The lead ended.
        LeadEnded = "lead_ended",
        /// Nobody leads while areas are still met.
        ContinuityAlert = "continuity_alert",
    }
}

/// A record by what stays the same from snapshot to snapshot: holder, feed and the holder's reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordName {
    /// The agency that holds the record.
    #[schema(value_type = String)]
    pub agency: AgencyCode,
    /// The feed that delivers it.
    #[schema(value_type = String)]
    pub feed: FeedCode,
    /// The agency's own keyed reference.
    #[serde(rename = "ref")]
    #[schema(value_type = String)]
    pub reference: OpaqueRef,
}

/// One spell of an agency leading for a family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadSpell {
    /// Which agency.
    pub agency: AgencyCode,
    /// Which of its teams; never a worker.
    pub team_route: TeamRoute,
    /// From which month.
    pub since: Month,
    /// Until which month; absent while it leads.
    pub ended: Option<Month>,
}

/// What a family's records say of an agency's work with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceFacts {
    /// One of the agency's records says that the work goes on, and the agency still sees the person.
    pub is_open: bool,
    /// One of the agency's records said that it leads.
    pub leads_or_led: bool,
    /// One of the agency's records says that it leads now.
    pub leads: bool,
    /// The newest month of contact.
    pub last_contact: Option<Month>,
}

/// Sums up the statements of some feeds of one agency about a family; `None` when they tell of no work.
pub fn service_facts(
    members: &[Member],
    agency: &AgencyCode,
    may_tell: impl Fn(&AgencyCode, &FeedCode) -> bool,
) -> Option<ServiceFacts> {
    let statements = members.iter().flat_map(|member| &member.statements);
    let of_agency = statements.filter(|said| said.agency == *agency && may_tell(&said.agency, &said.feed));
    let services = of_agency.filter_map(|said| Some((said.evidence.service.as_ref()?, said.evidence.coverage)));
    services.fold(None, |facts, (service, coverage)| {
        let is_open = service.status == ServiceStatus::Open && coverage == Coverage::Current;
        let facts =
            facts.unwrap_or(ServiceFacts { is_open: false, leads_or_led: false, leads: false, last_contact: None });
        Some(ServiceFacts {
            is_open: facts.is_open || is_open,
            leads_or_led: facts.leads_or_led || service.lead,
            leads: facts.leads || service.lead && is_open,
            last_contact: facts.last_contact.max(service.last_contact_month),
        })
    })
}

/// Whether somebody leads for a family, led and no longer does, or never did as far as may be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeadState {
    /// A service leads.
    Led,
    /// A service led, and none does now.
    Ended,
    /// Nobody who may be heard leads or led.
    NotKnown,
}

impl LeadState {
    /// From the newest spell that was recorded and from what each service's records say.
    ///
    /// A recorded lead counts as ended once its own agency's records say that its work is over:
    /// nobody has to remember to end it. Records that tell of no work leave it standing.
    pub fn of<'f>(
        newest: Option<&LeadSpell>,
        services: impl IntoIterator<Item = (&'f AgencyCode, ServiceFacts)>,
    ) -> Self {
        let mut leading = newest.is_some_and(|spell| spell.ended.is_none());
        let mut by_records = false;
        let mut was_led = newest.is_some();
        for (agency, facts) in services {
            by_records |= facts.leads;
            was_led |= facts.leads_or_led;
            if newest.is_some_and(|spell| spell.agency == *agency) && !facts.is_open {
                leading = false;
            }
        }
        if leading || by_records {
            Self::Led
        } else if was_led {
            Self::Ended
        } else {
            Self::NotKnown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agency(code: &str) -> AgencyCode {
        AgencyCode::parse(code).expect("a code")
    }

    fn spell(code: &str, ended: Option<&str>) -> LeadSpell {
        let month = |text: &str| text.parse().expect("a month");
        LeadSpell {
            agency: agency(code),
            team_route: TeamRoute::parse("west").expect("a code"),
            since: month("2026-03"),
            ended: ended.map(month),
        }
    }

    const OPEN: ServiceFacts = ServiceFacts { is_open: true, leads_or_led: false, leads: false, last_contact: None };
    const OVER: ServiceFacts = ServiceFacts { is_open: false, ..OPEN };
    const LEADS: ServiceFacts = ServiceFacts { leads: true, leads_or_led: true, ..OPEN };
    const LED: ServiceFacts = ServiceFacts { leads_or_led: true, ..OVER };

    type Case<'a> = (&'a str, Option<&'a LeadSpell>, Vec<(&'a AgencyCode, ServiceFacts)>, LeadState);

    #[test]
    fn a_lead_ends_when_it_is_ended_or_its_own_agency_s_work_is_over() {
        let (hub, care) = (agency("hub"), agency("care"));
        let recorded = spell("hub", None);
        let cases: [Case<'_>; 8] = [
            ("recorded", Some(&recorded), vec![], LeadState::Led),
            ("recorded, its agency at work", Some(&recorded), vec![(&hub, OPEN)], LeadState::Led),
            ("recorded, its agency's work over", Some(&recorded), vec![(&hub, OVER)], LeadState::Ended),
            ("another agency's work over", Some(&recorded), vec![(&care, OVER)], LeadState::Led),
            ("its work over, another leads", Some(&recorded), vec![(&hub, OVER), (&care, LEADS)], LeadState::Led),
            ("only in records", None, vec![(&care, LED)], LeadState::Ended),
            ("nobody", None, vec![(&care, OPEN)], LeadState::NotKnown),
            ("nothing said", None, vec![], LeadState::NotKnown),
        ];
        for (case, newest, services, expected) in cases {
            assert_eq!(LeadState::of(newest, services), expected, "{case}");
        }
        assert_eq!(LeadState::of(Some(&spell("hub", Some("2026-05"))), [(&hub, OPEN)]), LeadState::Ended);
    }

    #[test]
    fn words_read_back_as_written() {
        for route in
            [IdentificationRoute::PhaseOneCarryOver, IdentificationRoute::Referral, IdentificationRoute::DataMatch]
        {
            assert_eq!(route.as_str().parse(), Ok(route));
            assert_eq!(serde_json::to_value(route).expect("plain data"), route.as_str());
        }
        assert!("walked in".parse::<IdentificationRoute>().is_err());
    }
}
