//! What an exploration has found, as it is told: the case that failed, the smallest that was made of it, and how to see both again.

use std::fmt;

use crate::counterexample::{Counterexample, Kind};
use crate::environment::{command, quoted};
use crate::recipe::Recipe;

/// A case that fails, and the smallest that fails alike. Displayed, it says all that is needed to see them again.
#[derive(Clone)]
pub struct Finding {
    pub(crate) number: u64,
    pub(crate) given: Box<Recipe>,
    pub(crate) first: Counterexample,
    pub(crate) is_exact: bool,
    pub(crate) smallest: Counterexample,
    pub(crate) runs: u32,
}

impl Finding {
    /// How many cases come before it; all of them pass.
    pub fn passed(&self) -> u64 {
        self.number
    }

    /// The case that failed.
    pub fn first(&self) -> &Counterexample {
        &self.first
    }

    /// Whether the first was the same run when it was run again, from its recipe. Without a shrinker nobody looks.
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// The smallest that was made of it.
    pub fn smallest(&self) -> &Counterexample {
        &self.smallest
    }

    /// How many runs that took.
    pub fn shrink_runs(&self) -> u32 {
        self.runs
    }
}

impl std::error::Error for Finding {}

/// As it is displayed, for a `main` that returns it.
impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, given, first, is_exact, smallest, runs } = self;
        let command = command();
        let seed = first.recipe.seed;
        let variable = |recipe: &Recipe| match *recipe == Recipe::of_seed(seed) {
            true => format!("FIBRA_SIM_SEED={seed}"),
            false => format!("FIBRA_SIM_CASE={}", quoted(&recipe.to_string())),
        };
        let is_smaller = smallest.recipe != first.recipe;
        writeln!(f, "a simulation fails, with seed {seed}, after {number} that did not")?;
        if !is_exact && *first.kind() != Kind::Irreproducible {
            writeln!(f, "it took another course when it was run again: something in it is decided elsewhere")?;
        }
        if !is_smaller {
            writeln!(f, "\n{first}")?;
        } else {
            writeln!(f, "{}", first.what())?;
            // What was drawn goes without saying by the seed.
            writeln!(f, "{}", Recipe { draws: None, ..first.recipe.clone() })?;
            writeln!(f, "\nthe smallest case that fails alike, after {runs} runs:\n{smallest}")?;
            writeln!(f, "this case again:\n  {} {command}", variable(&smallest.recipe))?;
        }
        let which = if is_smaller { "the first" } else { "this case" };
        write!(f, "{which} again:\n  {} {command}", variable(given))
    }
}
