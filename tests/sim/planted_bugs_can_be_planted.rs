//! Each bug that `.ci/mutants` plants still has its place, and that is the only one: so the lists in `mutants` do not rot.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// So many there are to be at least.
const BUGS: usize = 60;

/// A bug of a list.
#[derive(Default)]
struct Bug {
    name: String,
    has_harm: bool,
    places: Vec<Place>,
}

/// Lines of a file, and what they are to become.
#[derive(Default)]
struct Place {
    file: String,
    before: Vec<String>,
    after: Vec<String>,
}

/// Those of one list. The format: `mutants/README.md`.
fn read(list: &str) -> Vec<Bug> {
    let mut bugs: Vec<Bug> = Vec::new();
    for line in list.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            bugs.push(Bug { name: name.to_owned(), ..Bug::default() });
            continue;
        }
        let Some(bug) = bugs.last_mut() else { panic!("a list begins with a bug's name: {line}") };
        match line.split_at_checked(1) {
            None => {}
            Some(("#", _)) => bug.has_harm = true,
            Some(("@", rest)) => {
                bug.places.push(Place { file: rest.trim_start_matches(['@', ' ']).to_owned(), ..Place::default() });
            }
            Some((sign, text)) => {
                let Some(place) = bug.places.last_mut() else { panic!("`{}` names no file: {line}", bug.name) };
                assert!([" ", "-", "+"].contains(&sign), "`{}`: no line begins so: {line}", bug.name);
                if sign != "+" {
                    place.before.push(text.trim().to_owned());
                }
                if sign != "-" {
                    place.after.push(text.trim().to_owned());
                }
            }
        }
    }
    bugs
}

#[test]
fn each_at_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(root.join("tests/sim/mutants")).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_none_or(|extension| extension != "diff") {
            continue;
        }
        for bug in read(&fs::read_to_string(&path).expect("text")) {
            let Bug { name, has_harm, places } = bug;
            assert!(has_harm && !places.is_empty(), "`{name}` says what it does, and where");
            for Place { file, before, after } in places {
                assert!(!before.is_empty() && before != after, "`{name}` does something");
                let source =
                    fs::read_to_string(root.join(&file)).unwrap_or_else(|error| panic!("`{name}`: {file}: {error}"));
                let lines: Vec<_> = source.lines().map(str::trim).collect();
                let found = lines.windows(before.len()).filter(|window| *window == before).count();
                assert_eq!(found, 1, "`{name}`: its place in {file} is to be there, and the only one");
            }
            assert!(names.insert(name.clone()), "two bugs have the name `{name}`");
        }
    }
    assert!(names.len() >= BUGS, "only {}", names.len());
}
