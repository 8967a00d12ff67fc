//! What to do, from the command line.

pub(crate) const USAGE: &str = "usage: calculator [serve ADDR [--workers N | --threads] | call ADDR add A B \
    | call ADDR divide A B | call ADDR add_slowly A B SECONDS | load ADDR]";

pub(crate) enum Command {
    Demo,
    Serve { addr: String, workers: Option<usize> },
    ServeOnThreads { addr: String },
    Call { addr: String, call: Call },
    Load { addr: String },
}

pub(crate) enum Call {
    Add(i64, i64),
    Divide(i64, i64),
    AddSlowly(i64, i64, u64),
}

impl Command {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// What is wrong with them, for people.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words[..] {
            [] => Ok(Self::Demo),
            ["serve", addr] => Ok(Self::Serve { addr: addr.to_owned(), workers: None }),
            ["serve", addr, "--threads"] => Ok(Self::ServeOnThreads { addr: addr.to_owned() }),
            ["serve", addr, "--workers", count] => match number(count)? {
                0 => Err("a server needs a worker".to_owned()),
                workers => Ok(Self::Serve { addr: addr.to_owned(), workers: Some(workers) }),
            },
            ["call", addr, "add", a, b] => {
                Ok(Self::Call { addr: addr.to_owned(), call: Call::Add(number(a)?, number(b)?) })
            }
            ["call", addr, "divide", a, b] => {
                Ok(Self::Call { addr: addr.to_owned(), call: Call::Divide(number(a)?, number(b)?) })
            }
            ["call", addr, "add_slowly", a, b, seconds] => Ok(Self::Call {
                addr: addr.to_owned(),
                call: Call::AddSlowly(number(a)?, number(b)?, number(seconds)?),
            }),
            ["load", addr] => Ok(Self::Load { addr: addr.to_owned() }),
            _ => Err(format!("cannot make sense of `{}`", words.join(" "))),
        }
    }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("`{word}` is not a number that fits"))
}
