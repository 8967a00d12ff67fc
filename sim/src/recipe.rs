//! Recipes: all that decides about a case beside the code, as a value and as a line of text.
//!
//! ```text
//!   seed=17 schedule=pct:3/256 draws=3,0,5 until=10s loss=0.125 latency=50us..20ms crash=[bank]:1s..4s/0s..500ms without=flapping
//! ```
//!
//! Invariants:
//! * What is printed is read back as the same value, to the last bit.
//! * What is as [`Faults::default`] has it is not printed, so that a small case is a short line; nor is [`Schedule::Random`], unless the seed
//!   is all that the line has beside it.

pub(crate) mod faults;
mod words;

use std::fmt;
use std::str::FromStr;

use fibra_net::sim::{Faults, Schedule};

use words::{list, name, names, number, read_schedule, schedule, split};

/// All that decides about a case beside the code: as a value, and as a line of text.
///
/// ```
/// use fibra_sim::Recipe;
///
/// let recipe: Recipe = "seed=17 draws=3,0,5 loss=0.125 crash=[bank]:1s..4s/0s..500ms".parse()?;
/// assert_eq!(recipe.faults.as_ref().map(|faults| faults.conditions.loss), Some(0.125));
/// assert_eq!(recipe.to_string().parse(), Ok(recipe));
/// # Ok::<(), fibra_sim::RecipeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipe {
    /// What decides all that is left open: orders, losses, times.
    pub seed: u64,
    /// Which fiber runs next; `None`: as the seed has it.
    pub schedule: Option<Schedule>,
    /// The choices of the case's [draws](crate::Draws); `None`: as the seed has it.
    pub draws: Option<Vec<u64>>,
    /// What goes wrong; `None`: as the seed has it.
    pub faults: Option<Faults>,
    /// [Rules](crate::Case::rule) of the test that are left out.
    pub without: Vec<String>,
}

impl Recipe {
    /// A seed, and nothing else.
    pub fn of_seed(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The schedule that goes without saying.
    fn usual_schedule(&self) -> Option<Schedule> {
        (self.draws.is_some() || self.faults.is_some()).then_some(Schedule::Random)
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed={}", self.seed)?;
        if self.schedule != self.usual_schedule() {
            write!(f, " schedule={}", schedule(self.schedule))?;
        }
        if let Some(draws) = &self.draws {
            write!(f, " draws={}", list(draws))?;
        }
        match &self.faults {
            None => {}
            Some(given) if *given == Faults::default() => f.write_str(" faults=none")?,
            Some(given) => faults::write(given, f)?,
        }
        if !self.without.is_empty() {
            write!(f, " without={}", names(&self.without))?;
        }
        Ok(())
    }
}

impl FromStr for Recipe {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let mut recipe = Self::default();
        let (mut is_seeded, mut given) = (false, None);
        for word in text.split_whitespace() {
            let wrong = || RecipeError(format!("'{word}' is no part of a case"));
            let (key, value) = split(word, '=').ok_or_else(wrong)?;
            match key {
                "seed" => {
                    recipe.seed = number(value).ok_or_else(wrong)?;
                    is_seeded = true;
                }
                "schedule" => given = Some(read_schedule(value).ok_or_else(wrong)?),
                "draws" if value.is_empty() => recipe.draws = Some(Vec::new()),
                "draws" => recipe.draws = Some(value.split(',').map(number).collect::<Option<_>>().ok_or_else(wrong)?),
                "faults" if value == "none" => recipe.faults = Some(Faults::default()),
                "without" => recipe.without = value.split(',').map(name).collect::<Option<_>>().ok_or_else(wrong)?,
                _ => faults::read(recipe.faults.get_or_insert_default(), key, value).ok_or_else(wrong)?,
            }
        }
        recipe.schedule = given.unwrap_or_else(|| recipe.usual_schedule());
        if is_seeded { Ok(recipe) } else { Err(RecipeError("a case begins with its seed, as in seed=17".to_owned())) }
    }
}

/// What was to be a [`Recipe`] is none: which word of it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeError(String);

impl std::error::Error for RecipeError {}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fibra_net::sim::{Fault, Trouble};

    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        for seed in 0..500 {
            let mut faults = Faults::swarm(seed, Duration::from_nanos(seed * 1_000_003));
            if seed % 3 == 0 {
                faults.conditions.bandwidth = Some(seed);
                faults.until = None;
                let hosts = vec!["bank".to_owned(), "a b,c=[d]:ü%".to_owned()];
                let time = Duration::from_nanos(seed);
                faults.faults.push(Fault { what: Trouble::Hold, hosts, every: (time, time), lasting: (time, time) });
            }
            let draws = (seed % 2 == 0).then(|| vec![0; (seed % 4) as usize]);
            let without = vec!["flapping x".to_owned(); (seed % 2) as usize];
            let schedule = [None, Some(Schedule::Random), Some(Schedule::swarm(seed))][(seed % 3) as usize];
            let faults = (seed % 5 != 0).then_some(faults);
            let recipe = Recipe { seed, schedule, draws, faults, without };
            assert_eq!(recipe.to_string().parse(), Ok(recipe.clone()), "{recipe}");
        }
        let usual = Some(Schedule::Random);
        let bare = Recipe { schedule: usual, faults: Some(Faults::default()), ..Recipe::of_seed(u64::MAX) };
        assert_eq!(bare.to_string(), "seed=18446744073709551615 faults=none");
        assert_eq!(bare.to_string().parse(), Ok(bare));
        assert_eq!(Recipe::of_seed(1).to_string(), "seed=1");
        assert_eq!(Recipe { schedule: usual, ..Recipe::of_seed(1) }.to_string(), "seed=1 schedule=random");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("draws=1", "begins with its seed"),
            ("seed=1 loss", "'loss'"),
            ("seed=1 loss=2", "'loss=2'"),
            ("seed=1 loss=NaN", "'loss=NaN'"),
            ("seed=1 until=10", "'until=10'"),
            ("seed=1 schedule=fair", "'schedule=fair'"),
            ("seed=1 schedule=pct:2", "'schedule=pct:2'"),
            ("seed=1 draws=1,x", "'draws=1,x'"),
            ("seed=1 crash=[bank]:1s..2s", "'crash="),
            ("seed=1 hail=1", "'hail=1'"),
        ] {
            let error = text.parse::<Recipe>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
