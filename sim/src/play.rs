//! Playing a case: a recipe in, and out how it went.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fibra_net::sim::{Builder, Cause, Ending, Failure, Faults, Schedule};

use crate::case::Case;
use crate::counterexample::{Broken, Counterexample, Kind};
use crate::draws::choices;
use crate::quiet::{self, Panicked};
use crate::recipe::Recipe;

/// What a test says to [`Builder`]s, and about faults and schedules.
pub(crate) struct Test<'a> {
    pub(crate) body: &'a (dyn Fn(&mut Case) -> Ending + Sync),
    pub(crate) configure: &'a (dyn Fn(Builder) -> Builder + Send + Sync),
    pub(crate) faults: &'a (dyn Fn(u64) -> Faults + Send + Sync),
    pub(crate) schedules: &'a (dyn Fn(u64) -> Schedule + Send + Sync),
    /// Whether panics are told as they come.
    pub(crate) is_loud: bool,
}

/// A case that has been played.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    /// The hash of its run; none if it did not run.
    pub(crate) hash: Option<u64>,
    pub(crate) elapsed: std::time::Duration,
    pub(crate) counterexample: Option<Box<Counterexample>>,
}

impl Test<'_> {
    /// Plays a case. With what the recipe leaves to the seed written out, if it fails.
    pub(crate) fn play(&self, recipe: &Recipe) -> Played {
        let (schedule, faults) = self.expand(recipe);
        let mut case = Case::new(recipe, schedule, faults.clone(), self.configure);
        let run = || catch_unwind(AssertUnwindSafe(|| self.perform(&mut case)));
        let (ended, panicked) = quiet::listen(|| recipe.to_string(), self.is_loud, run);
        let report = case.report.as_ref();
        let elapsed = report.map_or_else(Default::default, |report| report.elapsed());
        let broken = match ended {
            Ok(Ok(())) => {
                return Played { hash: report.map(|report| report.hash()), elapsed, counterexample: None };
            }
            Ok(Err(error)) => match error.downcast::<Failure>() {
                Ok(failure) => of_failure(&failure, panicked),
                Err(error) => of_test(&case, Kind::Error, format!("the test ended with an error: {error}")),
            },
            Err(payload) => {
                let message = quiet::text(&*payload);
                let location = panicked.map_or_else(String::new, |panicked| panicked.location);
                let what = format!("the test panicked at {location}: {message}");
                of_test(&case, Kind::Panic { location }, what)
            }
        };
        let drawn = case.draws().drawn();
        let recipe = Recipe {
            seed: recipe.seed,
            schedule: Some(schedule),
            draws: Some(choices(&drawn)),
            faults: Some(faults),
            without: recipe.without.clone(),
        };
        let (hash, elapsed) = (broken.hash, broken.at);
        let rules = case.rules().to_vec();
        let counterexample = Some(Box::new(Counterexample { recipe, drawn, rules, broken }));
        Played { hash, elapsed, counterexample }
    }

    /// What a recipe leaves to the seed, but for draws.
    fn expand(&self, recipe: &Recipe) -> (Schedule, Faults) {
        let schedule = recipe.schedule.unwrap_or_else(|| (self.schedules)(recipe.seed));
        (schedule, recipe.faults.clone().unwrap_or_else(|| (self.faults)(recipe.seed)))
    }

    fn perform(&self, case: &mut Case) -> Ending {
        (self.body)(case)?;
        if !case.has_run() {
            case.run()?;
        }
        Ok(())
    }

    /// Plays a case twice; it is a counterexample also if that takes different courses.
    pub(crate) fn play_twice(&self, recipe: &Recipe) -> Played {
        let (first, second) = (self.play(recipe), self.play(recipe));
        let is_same = first.hash == second.hash
            && match (&first.counterexample, &second.counterexample) {
                (None, None) => true,
                (Some(one), Some(other)) => one.drawn == other.drawn && one.broken.what == other.broken.what,
                _ => false,
            };
        if is_same {
            return first;
        }
        let ways = [&first, &second].map(|played| match played.hash {
            Some(hash) => format!("{hash:#018x}"),
            None => "none".to_owned(),
        });
        let what = format!(
            "the same case took another course on a rerun (hashes {} and {}): something in it is decided elsewhere, as by the order of a \
             HashMap, the wall clock, a thread, or what another case has left in a static",
            ways[0], ways[1]
        );
        let (schedule, faults) = self.expand(recipe);
        let broken = Broken::new(Kind::Irreproducible, what);
        let recipe = Recipe { schedule: Some(schedule), faults: Some(faults), ..recipe.clone() };
        let found = first.counterexample.or(second.counterexample).map(|found| *found);
        let counterexample = match found {
            Some(found) => {
                Counterexample { broken: Broken { kind: broken.kind, what: broken.what, ..found.broken }, ..found }
            }
            None => Counterexample { recipe, drawn: Vec::new(), rules: Vec::new(), broken },
        };
        Played { hash: None, elapsed: first.elapsed, counterexample: Some(Box::new(counterexample)) }
    }
}

/// The run has failed.
fn of_failure(failure: &Failure, panicked: Option<Panicked>) -> Broken {
    let mut what = failure.cause().to_string();
    let kind = match failure.cause() {
        Cause::Panic { host, message } => {
            // The last panic of the thread may be that of another fiber.
            let location = panicked.filter(|panicked| panicked.message == *message).map(|panicked| panicked.location);
            let location = location.unwrap_or_default();
            what = format!("{host} panicked at {location}: {message}");
            Kind::Panic { location }
        }
        Cause::Deadlock(_) => Kind::Deadlock,
        Cause::OutOfTime { .. } => Kind::OutOfTime,
        _ => Kind::Error,
    };
    Broken {
        at: failure.at(),
        hash: failure.hash(),
        configuration: failure.configuration().to_owned(),
        last_events: failure.last_events().to_vec(),
        ..Broken::new(kind, what)
    }
}

/// The test itself has failed, before the run or behind it.
fn of_test(case: &Case, kind: Kind, what: String) -> Broken {
    let broken = Broken::new(kind, what);
    let Some(report) = &case.report else { return broken };
    Broken {
        at: report.elapsed(),
        hash: Some(report.hash()),
        configuration: report.configuration().to_owned(),
        last_events: case.network().last_events(),
        ..broken
    }
}
