//! Proves the guard rails of the rule book for every agreement, agency, purpose and moment that the schema
//! admits, with Cedar's symbolic compiler and the solver cvc5.
//!
//! Four things are proved, and two are looked for so that the proofs mean something:
//!
//! 1. no rule can fail to evaluate;
//! 2. whatever the book allows, every guard rail allows;
//! 3. each rule is needed: without it the book allows something more (a request is found);
//! 4. each rule is guarded: without it one of the rails that name it breaks (a request is found);
//! 5. the book allows something at all, and a rail that is false is refuted.
//!
//! Ends with 1 when anything of this does not hold, with 2 when it could not be tried.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, RequestEnv, Schema, ValidationMode, Validator};
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicy, CompiledPolicySet};

/// A sentence that the book does not keep: the police do hear answers.
const FALSE_RAIL: &str = r#"@id("F01") @rules("") @say("The police hear nothing.")
permit (principal, action == Action::"release", resource) when { principal.kind != "police" };"#;

type Trouble = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(Trouble::from).and_then(|runtime| runtime.block_on(prove()));
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            eprintln!("{failures} proof(s) failed");
            ExitCode::from(1)
        }
        Err(trouble) => {
            eprintln!("the proofs could not be run: {trouble}");
            ExitCode::from(2)
        }
    }
}

/// The rule book, the rails and the solver.
struct Proofs {
    schema: Schema,
    book: PolicySet,
    rails: Vec<Policy>,
    solver: CedarSymCompiler<LocalSolver>,
    failures: usize,
    slowest: Duration,
    queries: usize,
}

async fn prove() -> Result<usize, Trouble> {
    let begun = Instant::now();
    let mut proofs = Proofs::read()?;
    let environments: Vec<RequestEnv> = proofs.schema.request_envs().collect();
    println!(
        "{} rules, {} guard rails, {} kinds of request",
        proofs.rules().len(),
        proofs.rails.len(),
        environments.len()
    );
    for environment in &environments {
        proofs.never_errors(environment).await?;
        proofs.rails_hold(environment).await?;
    }
    proofs.rules_are_needed(&environments).await?;
    proofs.rules_are_guarded(&environments).await?;
    println!(
        "{} queries in {:.1} s, the slowest {:.2} s",
        proofs.queries,
        begun.elapsed().as_secs_f64(),
        proofs.slowest.as_secs_f64()
    );
    Ok(proofs.failures)
}

impl Proofs {
    fn read() -> Result<Self, Trouble> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let rules = std::env::args_os().nth(1).map_or_else(|| here.join("../../policies/rules"), PathBuf::from);
        let schema = std::fs::read_to_string(rules.join("schema.cedarschema"))?;
        let schema = Schema::from_cedarschema_str(&schema)?.0;
        let mut book = PolicySet::new();
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&rules)?.map(|entry| entry.map(|it| it.path())).collect::<Result<_, _>>()?;
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|it| it == "cedar")) {
            for policy in named(&std::fs::read_to_string(file)?)? {
                book.add(policy)?;
            }
        }
        let rails = named(&std::fs::read_to_string(here.join("guard-rails.cedar"))?)?;
        let mut all = PolicySet::new();
        for rail in &rails {
            all.add(rail.clone())?;
        }
        for (what, set) in [("the rule book", &book), ("the guard rails", &all)] {
            let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
            if !result.validation_passed() {
                return Err(format!("{what} do not fit the schema: {result}").into());
            }
        }
        let solver = CedarSymCompiler::new(LocalSolver::cvc5()?)?;
        Ok(Self { schema, book, rails, solver, failures: 0, slowest: Duration::ZERO, queries: 0 })
    }

    fn rules(&self) -> Vec<Policy> {
        let mut rules: Vec<Policy> = self.book.policies().filter(|it| it.effect() == Effect::Forbid).cloned().collect();
        rules.sort_by_key(|rule| rule.id().to_string());
        rules
    }

    /// 1: an error in a rule would be skipped by the engine, and only denied by our own check behind it.
    async fn never_errors(&mut self, environment: &RequestEnv) -> Result<(), Trouble> {
        let mut all: Vec<Policy> = self.book.policies().cloned().collect();
        all.sort_by_key(|rule| rule.id().to_string());
        for rule in &all {
            let compiled = CompiledPolicy::compile(rule, environment, &self.schema)?;
            let begun = Instant::now();
            let holds = self.solver.check_never_errors_opt(&compiled).await?;
            self.timed(begun);
            self.expect(holds, || format!("{} can fail to evaluate for {}", rule.id(), action(environment)));
        }
        println!("{}: none of {} rules can fail to evaluate", action(environment), all.len());
        Ok(())
    }

    /// 2 and 5.
    async fn rails_hold(&mut self, environment: &RequestEnv) -> Result<(), Trouble> {
        let book = self.compiled(&self.book.clone(), environment)?;
        let begun = Instant::now();
        let denies_all = self.solver.check_always_denies_opt(&book).await?;
        self.timed(begun);
        self.expect(!denies_all, || format!("the book allows nothing at all for {}", action(environment)));
        for rail in self.rails.clone() {
            if !speaks_of(&rail, environment) {
                continue;
            }
            let begun = Instant::now();
            let holds = self.holds(&book, &rail, environment).await?;
            self.timed(begun);
            let say = rail.annotation("say").unwrap_or_default();
            if holds {
                println!(
                    "{}: proved {} in {:.2} s: {say}",
                    action(environment),
                    rail.id(),
                    begun.elapsed().as_secs_f64()
                );
            }
            self.expect(holds, || format!("{} does not hold for {}: {say}", rail.id(), action(environment)));
        }
        for rail in named(FALSE_RAIL)?.into_iter().filter(|rail| speaks_of(rail, environment)) {
            let holds = self.holds(&book, &rail, environment).await?;
            self.expect(!holds, || "a false sentence was proved".to_owned());
            println!("{}: refuted, as it must be: {}", action(environment), rail.annotation("say").unwrap_or_default());
        }
        Ok(())
    }

    /// 3: the book without the rule must not be the same book.
    async fn rules_are_needed(&mut self, environments: &[RequestEnv]) -> Result<(), Trouble> {
        let rules = self.rules();
        for rule in &rules {
            let without = self.without(rule.id())?;
            let mut is_needed = false;
            for environment in environments {
                let (less, book) =
                    (self.compiled(&without, environment)?, self.compiled(&self.book.clone(), environment)?);
                let begun = Instant::now();
                is_needed |= !self.solver.check_implies_opt(&less, &book).await?;
                self.timed(begun);
            }
            self.expect(is_needed, || format!("{} could be deleted and nothing would change", rule.id()));
        }
        println!("each of {} rules is needed: without it a request is allowed that the book denies", rules.len());
        Ok(())
    }

    /// 4: a rail that names the rule must break without it.
    async fn rules_are_guarded(&mut self, environments: &[RequestEnv]) -> Result<(), Trouble> {
        let mut guards: BTreeMap<String, Vec<Policy>> = BTreeMap::new();
        for rail in &self.rails {
            for rule in rail.annotation("rules").unwrap_or_default().split_whitespace() {
                guards.entry(rule.to_owned()).or_default().push(rail.clone());
            }
        }
        let rules = self.rules();
        for rule in &rules {
            let without = self.without(rule.id())?;
            let mut breaks = false;
            for environment in environments {
                let less = self.compiled(&without, environment)?;
                for rail in guards.get(&rule.id().to_string()).into_iter().flatten() {
                    if speaks_of(rail, environment) {
                        let begun = Instant::now();
                        breaks |= !self.holds(&less, rail, environment).await?;
                        self.timed(begun);
                    }
                }
            }
            self.expect(breaks, || format!("no guard rail breaks when {} is deleted", rule.id()));
        }
        println!("each of {} rules is guarded: without it a rail that names it breaks", rules.len());
        Ok(())
    }

    async fn holds(&mut self, book: &CompiledPolicySet, rail: &Policy, of: &RequestEnv) -> Result<bool, Trouble> {
        let rail = PolicySet::from_policies([rail.clone()])?;
        let rail = self.compiled(&rail, of)?;
        Ok(self.solver.check_implies_opt(book, &rail).await?)
    }

    fn compiled(&self, set: &PolicySet, environment: &RequestEnv) -> Result<CompiledPolicySet, Trouble> {
        Ok(CompiledPolicySet::compile(set, environment, &self.schema)?)
    }

    fn without(&self, rule: &PolicyId) -> Result<PolicySet, Trouble> {
        let mut without = self.book.clone();
        without.remove_static(rule.clone())?;
        Ok(without)
    }

    fn timed(&mut self, begun: Instant) {
        self.slowest = self.slowest.max(begun.elapsed());
        self.queries += 1;
    }

    fn expect(&mut self, holds: bool, say: impl FnOnce() -> String) {
        if !holds {
            println!("FAILED: {}", say());
            self.failures += 1;
        }
    }
}

/// The policies of a text, each under its own `@id`.
fn named(text: &str) -> Result<Vec<Policy>, Trouble> {
    let set: PolicySet = text.parse()?;
    set.policies()
        .map(|policy| {
            let id = policy.annotation("id").ok_or("a policy without an id")?;
            Ok(policy.new_id(PolicyId::new(id)))
        })
        .collect()
}

fn action(environment: &RequestEnv) -> String {
    environment.action().id().unescaped().to_owned()
}

/// A rail whose head names another action says nothing of this one.
fn speaks_of(rail: &Policy, environment: &RequestEnv) -> bool {
    match rail.action_constraint() {
        cedar_policy::ActionConstraint::Any => true,
        cedar_policy::ActionConstraint::Eq(uid) => uid == *environment.action(),
        cedar_policy::ActionConstraint::In(uids) => uids.contains(environment.action()),
    }
}
