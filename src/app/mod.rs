//! The journeys: one file for each thing that somebody comes to do.
//!
//! | file | journey |
//! |---|---|
//! | [`authenticate`] | an agency's system proves who it is |
//! | [`submit`] | a feed is delivered |
//! | [`publish`] | a delivered feed is linked and made visible |
//! | [`retract`] | an agency takes a submission back |
//! | [`shared_addresses`] | an agency reads which of its own records live where too many do |
//! | [`match_run`] | the data team finds families that meet criteria in enough areas, in stages |
//! | [`possible_matches`] | agencies verify their own records, and two records are joined or parted |
//! | [`enquire`] | an agency asks about a person; **where an enquiry is decided** |
//! | [`screen`] | an agency asks about many people at once |
//! | [`claim`] | a family is engaged; a claim for a result is checked; [`proof`] proves that an entry is in the log |
//! | [`referral`] | a referral is taken step by step to where it ends |
//! | [`reidentification`] | officers and the source sign, and the data team learns who somebody is |
//! | [`preview`] | what another programme file would change, in counts |
//! | [`past`] | an answer is judged again as at its date |
//! | [`emergency`] | somebody is in danger: asked fast, reviewed the same day |
//! | [`not_to_share`] | somebody was asked to share and decided not to |
//! | [`incident`] | a breach is recorded, assessed and decided, with its clock and notice pack |
//! | [`shields`] | an agency's own shields, and when it means to look at them again |
//! | [`recall`] | a wrong match or delivery is recalled: who received it is found and told |
//! | [`notices`] | an agency's inbox: what it has to know about answers that it received |
//! | [`families`] | the programme team keeps families: numbers, history, lead, contact |
//! | [`explain`] | an agency asks what the agreements would allow |
//! | [`statistics`] | the data team gets tables of counts that give nobody away |
//! | [`feeds`] | an agency sees which of its feeds are due or late |
//! | [`writer`] | entries become durable before anything leaves |
//! | [`sequence`] | entries get their places in the log and a signed checkpoint |
//! | [`export`] | the log is handed to an auditor |
//! | [`trust_file`] | what an auditor has to trust: the log's name and public keys |
//! | [`log_state`] | where the log stands: its newest checkpoint, and who cosigned |
//! | [`log_access`] | officers and auditors search the log, read an entry, replay its decision |
//! | [`console`] | people sign in to the console, and work in sessions |
//! | [`witness`] | partner agencies cosign the checkpoints that they saw; releases stop when they fall silent |
//! | [`log_index`] | the index by which the log is searched, made from its entries |
//! | [`review`] | disclosures are reviewed for their legal basis |
//! | [`alerts`] | warnings are raised on what was asked, and looked into |
//! | [`evaluate`] | linkage is compared with the truth of a public test set |
//! | [`enrol`] | agencies, their keys and certificates are registered |
//! | [`suspend`] | somebody or something is stopped at once, or let go on |
//! | [`activate`] | an agreement comes into force by two officers |
//! | [`agreement_effects`] | who may learn what, and what another version would change |
//! | [`policy_replay`] | what a draft would have changed for past questions, in counts |
//! | [`load_policy`] | signed agreements and policy files come into use |
//! | [`backup`], [`restore`] | the database goes into one file, and becomes a database again; [`transfer`] is the file |
//! | [`check_log`], [`held_checkpoint`] | is the log in the database whole, and no older than what is known elsewhere |
//! | [`doctor`] | an operator asks whether all is well |
//! | [`rotate`] | keys are replaced: epochs end, stored tokens are blinded again, fields sealed again |
//! | [`weigh`] | what agencies sealed for match runs is opened, weights are learned, pairs weighed |
//! | [`fuzzy`] | fuzzy encodings are compared, last of all; `likeness` is what this and weighing have in common |
//! | [`subject_rights`] | people use their rights although nobody at the gateway knows their names |
//! | [`retention`] | what was kept long enough is deleted, with evidence, unless a freeze keeps it |
//! | `subject_index` | entries are found for every person whose records they rested on |
//! | [`tidy`] | what nobody needs any more is removed |

pub mod activate;
pub mod agreement_effects;
pub mod alerts;
pub mod authenticate;
pub mod backup;
pub mod caller;
pub mod check_log;
pub mod check_tokens;
pub mod claim;
pub mod console;
pub mod doctor;
pub mod emergency;
pub mod enquire;
pub mod enrol;
pub mod error;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod families;
pub mod feeds;
pub mod fuzzy;
pub mod gateway;
pub mod held_checkpoint;
pub mod incident;
mod likeness;
pub mod load_policy;
pub mod log_access;
pub mod log_index;
pub mod log_state;
pub mod match_run;
pub mod not_to_share;
pub mod notices;
pub mod past;
pub mod policies;
pub mod policy_replay;
pub mod possible_matches;
pub mod preview;
pub mod proof;
pub mod publish;
pub mod recall;
pub mod referral;
pub mod reidentification;
pub mod relay;
pub mod restore;
pub mod retention;
pub mod retract;
pub mod review;
pub mod rotate;
pub mod screen;
pub mod sequence;
pub mod shared_addresses;
pub mod shields;
pub mod signers;
pub mod statistics;
pub(crate) mod subject_index;
pub mod subject_rights;
pub mod submit;
pub mod suspend;
pub mod tidy;
pub mod transfer;
pub mod trust_file;
pub mod weigh;
pub mod witness;
pub mod writer;
