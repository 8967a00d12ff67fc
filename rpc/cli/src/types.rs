//! What a type's spelling says about its values: enough of it to read arguments from a shell.
//!
//! A server tells the types of a method as text, as somebody wrote them: see [`fibra::rpc::reflection`]. What is understood here is checked before the
//! call; of any other type, such as a user's struct, the server is the judge.
//!
//! Invariant: a type that is not understood whole is [`Unknown`](Type::Unknown). No value is refused for what we did not understand.

use std::fmt;

/// A type, as far as its values in JSON are concerned. Displays as one would write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Unit,
    Bool,
    /// Signed or not, of so many bits.
    Int {
        signed: bool,
        bits: u32,
    },
    Float {
        bits: u32,
    },
    Char,
    Text,
    Bytes,
    Option(Box<Type>),
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Tuple(Vec<Type>),
    /// Not understood; as it is spelled.
    Unknown(String),
}

/// How deep a spelling is followed: types as people write them nest less.
const DEPTH_MAX: usize = 16;

impl Type {
    /// Reads a spelling.
    pub(crate) fn of(spelling: &str) -> Self {
        read(spelling.trim(), 0).unwrap_or_else(|| Self::Unknown(spelling.trim().to_owned()))
    }

    /// Whether a value may be left out.
    pub(crate) fn is_optional(&self) -> bool {
        matches!(self, Self::Option(_))
    }
}

fn read(spelling: &str, depth: usize) -> Option<Type> {
    if depth > DEPTH_MAX {
        return None;
    }
    let inner = |spelling: &str| read(spelling, depth + 1).unwrap_or_else(|| Type::Unknown(spelling.to_owned()));
    if let Some(elements) = within(spelling, '(', ')') {
        let elements = split(elements)?;
        return Some(match &elements[..] {
            [] => Type::Unit,
            [one] if !spelling.ends_with(",)") => inner(one),
            elements => Type::Tuple(elements.iter().map(|element| inner(element)).collect()),
        });
    }
    if let Some(array) = within(spelling, '[', ']') {
        let element = array.rsplit_once(';').map_or(array, |(element, _)| element).trim();
        return Some(Type::List(Box::new(inner(element))));
    }
    let (path, arguments) = match spelling.split_once('<') {
        None => (spelling, Vec::new()),
        Some((path, rest)) => (path, split(rest.strip_suffix('>')?)?),
    };
    // A lifetime says nothing about values.
    let arguments: Vec<&str> = arguments.into_iter().filter(|argument| !argument.starts_with('\'')).collect();
    let name = path.rsplit("::").next()?.trim();
    Some(match (name, &arguments[..]) {
        ("bool", []) => Type::Bool,
        ("char", []) => Type::Char,
        ("String" | "str", []) => Type::Text,
        ("f32", []) => Type::Float { bits: 32 },
        ("f64", []) => Type::Float { bits: 64 },
        ("usize", []) => Type::Int { signed: false, bits: 64 },
        ("isize", []) => Type::Int { signed: true, bits: 64 },
        ("Bytes" | "ByteBuf", []) => Type::Bytes,
        ("Option", [inside]) => Type::Option(Box::new(inner(inside))),
        ("Box" | "Arc" | "Rc" | "Cow", ["[u8]"]) => Type::Bytes,
        ("Box" | "Arc" | "Rc" | "Cow", [inside]) => inner(inside),
        ("Vec", ["u8"]) => Type::Bytes,
        ("Vec" | "VecDeque" | "LinkedList" | "HashSet" | "BTreeSet", [item]) => Type::List(Box::new(inner(item))),
        ("HashMap" | "BTreeMap", [key, value]) => Type::Map(Box::new(inner(key)), Box::new(inner(value))),
        (name, []) => return integer(name),
        _ => return None,
    })
}

fn integer(name: &str) -> Option<Type> {
    let signed = name.starts_with('i');
    let bits = name.strip_prefix(['i', 'u'])?;
    let bits = bits.parse().ok().filter(|bits| [8, 16, 32, 64, 128].contains(bits))?;
    Some(Type::Int { signed, bits })
}

fn within(spelling: &str, open: char, close: char) -> Option<&str> {
    spelling.strip_prefix(open)?.strip_suffix(close)
}

/// What commas separate, those within brackets aside.
fn split(list: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut open) = (Vec::new(), 0, 0_usize);
    for (at, char) in list.char_indices() {
        match char {
            '<' | '(' | '[' => open += 1,
            '>' | ')' | ']' => open = open.checked_sub(1)?,
            ',' if open == 0 => {
                parts.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = list[start..].trim();
    if !last.is_empty() {
        parts.push(last);
    }
    (open == 0).then_some(parts)
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit => f.write_str("()"),
            Self::Bool => f.write_str("bool"),
            Self::Int { signed, bits } => write!(f, "{}{bits}", if *signed { 'i' } else { 'u' }),
            Self::Float { bits } => write!(f, "f{bits}"),
            Self::Char => f.write_str("char"),
            Self::Text => f.write_str("String"),
            Self::Bytes => f.write_str("bytes"),
            Self::Option(inside) => write!(f, "Option<{inside}>"),
            Self::List(item) => write!(f, "Vec<{item}>"),
            Self::Map(key, value) => write!(f, "HashMap<{key}, {value}>"),
            Self::Tuple(elements) => {
                f.write_str("(")?;
                for (index, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Unknown(spelling) => f.write_str(spelling),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(signed: bool, bits: u32) -> Type {
        Type::Int { signed, bits }
    }

    #[test]
    fn what_people_write_is_understood() {
        let cases = [
            ("()", Type::Unit),
            ("i64", int(true, 64)),
            ("u128", int(false, 128)),
            ("std::string::String", Type::Text),
            ("Vec<u8>", Type::Bytes),
            ("Cow<'static, [u8]>", Type::Bytes),
            ("Option<Box<str>>", Type::Option(Box::new(Type::Text))),
            ("[u8; 4]", Type::List(Box::new(int(false, 8)))),
            ("HashMap<String, Vec<(u8, i64)>>", {
                let pairs = Type::List(Box::new(Type::Tuple(vec![int(false, 8), int(true, 64)])));
                Type::Map(Box::new(Type::Text), Box::new(pairs))
            }),
            ("Vec<Order>", Type::List(Box::new(Type::Unknown("Order".to_owned())))),
        ];
        for (spelling, ty) in cases {
            assert_eq!(Type::of(spelling), ty, "{spelling}");
        }
    }

    #[test]
    fn what_is_not_understood_whole_stays_unknown() {
        for spelling in
            ["_", "Value", "u7", "i", "Vec<u8", "Vec<u8, A>", "Option<>", "Foo<Bar>", "(u8", "Vec<)>", "", "é<"]
        {
            assert_eq!(Type::of(spelling), Type::Unknown(spelling.to_owned()));
        }
        let deep = format!("{}u8{}", "Option<".repeat(100_000), ">".repeat(100_000));
        assert!(Type::of(&deep).is_optional(), "and no stack overflows");
    }
}
