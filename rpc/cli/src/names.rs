//! Names that look like another: what somebody may have meant.

/// The three nearest of `known`, the nearest first; those that are alike but for case, `Calculator.Add` for `calculator.add`, before all.
pub(crate) fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = plain(name);
    let mut near: Vec<_> = known
        .into_iter()
        .filter_map(|known| {
            let candidate = plain(known);
            let is_part = !wanted.is_empty() && candidate.split('.').any(|part| part == wanted);
            let distance = if is_part { Some(1) } else { distance(&wanted, &candidate) };
            distance.map(|distance| (distance, known))
        })
        .collect();
    near.sort_unstable();
    near.truncate(3);
    near.into_iter().map(|(_, known)| known).collect()
}

/// `; did you mean ..?`, if there is something that may have been meant.
pub(crate) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near: Vec<_> = near(name, known).into_iter().map(|name| format!("`{name}`")).collect();
    match near.split_last() {
        None => String::new(),
        Some((one, [])) => format!("; did you mean {one}?"),
        Some((last, others)) => format!("; did you mean {} or {last}?", others.join(", ")),
    }
}

/// How many mistakes lie between two names, part by part; `None` if a part has too many to be the same.
fn distance(wanted: &str, candidate: &str) -> Option<usize> {
    let (wanted, candidate): (Vec<_>, Vec<_>) = (wanted.split('.').collect(), candidate.split('.').collect());
    if wanted.len() != candidate.len() {
        return None;
    }
    let parts = wanted.into_iter().zip(candidate).map(|(wanted, candidate)| {
        let distance = strsim::damerau_levenshtein(wanted, candidate);
        (distance <= wanted.chars().count().div_ceil(3)).then_some(distance)
    });
    parts.sum()
}

/// As services and methods are named: words in lower case, joined by underscores, a dot between service and method.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    let mut after_lower = false;
    for char in name.trim_matches('/').chars() {
        if char.is_uppercase() && after_lower {
            plain.push('_');
        }
        after_lower = char.is_lowercase() || char.is_ascii_digit();
        match char {
            '/' | ':' => plain.push('.'),
            char => plain.extend(char.to_lowercase()),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["calculator.add", "calculator.add_slowly", "calculator.divide", "fibra.health"];

    #[test]
    fn typing_mistakes_and_other_spellings_are_recognised() {
        let cases = [
            ("calculator.ad", "calculator.add"),
            ("claculator.add", "calculator.add"),
            ("Calculator.Add", "calculator.add"),
            ("/calculator/divide", "calculator.divide"),
            ("Calculator.AddSlowly", "calculator.add_slowly"),
            ("divide", "calculator.divide"),
        ];
        for (typed, meant) in cases {
            assert_eq!(near(typed, KNOWN).first(), Some(&meant), "{typed}");
        }
    }

    #[test]
    fn what_is_like_nothing_has_no_hint() {
        assert_eq!(hint("inventory.list", KNOWN), "");
        assert_eq!(hint("", KNOWN), "");
        assert_eq!(hint("fibra.helth", KNOWN), "; did you mean `fibra.health`?");
    }
}
