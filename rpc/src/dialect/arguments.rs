//! What came as parameters, as the arguments of a method: one MessagePack array, in the order of the declaration.
//!
//! | parameters | arguments |
//! |---|---|
//! | an array | its elements, by position |
//! | a map | by name; of a method with one argument that has another name: the map itself is that argument |
//! | another value | that one |
//!
//! Types are for serde to judge, and for arrays their number, too: a method may take any number.

use crate::service::Argument;
use crate::wire::check::{Item, array_len, check};

use super::extent::{take, take_text};

/// The arguments of a method from parameters: one MessagePack value, of whoever calls. No bytes at all stand for none.
///
/// ```
/// use fibra_rpc::dialect::arguments::from_params;
/// use fibra_rpc::service::Argument;
///
/// let (a, b) = (Argument::new("a", "i64"), Argument::new("b", "i64"));
/// let by_name = b"\x82\xa1b\x05\xa1a\x03"; // {"b": 5, "a": 3}
/// assert_eq!(from_params(by_name.to_vec(), &[a, b]), Ok(vec![0x92, 3, 5]));
/// ```
///
/// # Errors
///
/// Which names do not fit, for people.
pub fn from_params(params: Vec<u8>, arguments: &[Argument]) -> Result<Vec<u8>, String> {
    match params.first() {
        None => Ok(vec![0x90]),
        Some(0x90..=0x9f | 0xdc | 0xdd) => Ok(params),
        Some(0x80..=0x8f | 0xde | 0xdf) => by_name(params, arguments),
        Some(_) => Ok(one(&params)),
    }
}

/// As [`from_params`], of the one parameter that Go's clients send: an array with one element, which is the argument of a method with one, and else
/// holds them all.
///
/// # Errors
///
/// As [`from_params`].
pub fn from_one_param(params: Vec<u8>, arguments: &[Argument]) -> Result<Vec<u8>, String> {
    if array_len(&params) != Some(1) {
        return from_params(params, arguments);
    }
    let mut inner = &params[..];
    // Its header.
    let _ = Item::read(&mut inner);
    match (arguments, inner.first()) {
        // A method without arguments: Go has no call without one.
        ([], _) => Ok(vec![0x90]),
        ([_], _) => Ok(params),
        (_, Some(0x80..=0x8f | 0xde | 0xdf | 0x90..=0x9f | 0xdc | 0xdd)) => from_params(inner.to_vec(), arguments),
        _ => Ok(params),
    }
}

fn one(param: &[u8]) -> Vec<u8> {
    [&[0x91], param].concat()
}

fn by_name(params: Vec<u8>, arguments: &[Argument]) -> Result<Vec<u8>, String> {
    check(&params).map_err(|unacceptable| unacceptable.to_string())?;
    let mut rest = &params[..];
    let Ok(Item::Container { values }) = Item::read(&mut rest) else { return Err("no map".to_owned()) };
    let mut found = vec![None; arguments.len()];
    for _ in 0..values / 2 {
        let name = take_text(&mut rest).map(String::from_utf8_lossy);
        let (Some(name), Some(value)) = (name, take(&mut rest)) else {
            return Err("an argument's name is text".to_owned());
        };
        match arguments.iter().position(|argument| is_named(argument, &name)) {
            Some(index) => {
                if found[index].replace(value).is_some() {
                    return Err(format!("the argument `{name}` comes twice"));
                }
            }
            // Its own name is not there: this is it.
            None if arguments.len() == 1 && found == [None] => return Ok(one(&params)),
            None => return Err(format!("the method has no argument `{}`", name.escape_debug())),
        }
    }
    let mut body = Vec::with_capacity(params.len() + 5);
    let count = u32::try_from(arguments.len()).unwrap_or(u32::MAX);
    // Memory takes all.
    let _ = rmp::encode::write_array_len(&mut body, count);
    for (argument, value) in arguments.iter().zip(found) {
        match value {
            Some(value) => body.extend_from_slice(value),
            // Of one argument whose name did not come, there is a map, an empty one.
            None if arguments.len() == 1 => return Ok(one(&params)),
            None => return Err(format!("the argument `{}` is missing", argument.name())),
        }
    }
    Ok(body)
}

/// Whether a parameter of that name is this argument: as it is declared, or as Go would write it.
fn is_named(argument: &Argument, name: &str) -> bool {
    argument.name() == name || argument.name() == super::name::canonical(name)
}

#[cfg(test)]
mod tests {
    use rmpv::Value;

    use super::*;

    const A: Argument = Argument::new("a", "i64");
    const B: Argument = Argument::new("b_side", "i64");

    fn bytes(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).expect("memory takes all");
        bytes
    }

    fn map(entries: &[(&str, i64)]) -> Value {
        Value::Map(entries.iter().map(|&(name, value)| (name.into(), value.into())).collect())
    }

    fn args(params: &Value, arguments: &[Argument]) -> Result<Value, String> {
        let body = from_params(bytes(params), arguments)?;
        Ok(rmpv::decode::read_value(&mut &body[..]).expect("it is MessagePack"))
    }

    #[test]
    fn by_position() {
        let params = Value::Array(vec![1.into(), 2.into(), 3.into()]);
        assert_eq!(args(&params, &[A, B]), Ok(params), "their number is for the method to judge");
        assert_eq!(from_params(Vec::new(), &[]), Ok(vec![0x90]));
        assert_eq!(args(&7.into(), &[A]), Ok(Value::Array(vec![7.into()])));
    }

    #[test]
    fn by_name_in_any_order_and_spelling() {
        let expected = Ok(Value::Array(vec![3.into(), 5.into()]));
        assert_eq!(args(&map(&[("b_side", 5), ("a", 3)]), &[A, B]), expected);
        assert_eq!(args(&map(&[("A", 3), ("BSide", 5)]), &[A, B]), expected);
    }

    #[test]
    fn names_that_do_not_fit_are_told() {
        for (params, complaint) in [
            (map(&[("a", 3)]), "`b_side` is missing"),
            (map(&[("a", 3), ("b_side", 5), ("c", 7)]), "no argument `c`"),
            (map(&[("a", 3), ("A", 5)]), "`A` comes twice"),
            (Value::Map(vec![(1.into(), 2.into())]), "name is text"),
        ] {
            let told = args(&params, &[A, B]).expect_err("it does not fit");
            assert!(told.contains(complaint), "{told}");
        }
    }

    #[test]
    fn a_map_may_be_the_one_argument() {
        let message = map(&[("x", 1), ("y", 2)]);
        assert_eq!(args(&message, &[A]), Ok(Value::Array(vec![message])));
        assert_eq!(args(&map(&[]), &[A]), Ok(Value::Array(vec![map(&[])])));
        assert_eq!(args(&map(&[("a", 3)]), &[A]), Ok(Value::Array(vec![3.into()])));
    }

    #[test]
    fn gos_one_parameter() {
        let go = |param: Value, arguments: &[Argument]| {
            let body = from_one_param(bytes(&Value::Array(vec![param])), arguments)?;
            Ok::<_, String>(rmpv::decode::read_value(&mut &body[..]).expect("it is MessagePack"))
        };
        let both = Ok(Value::Array(vec![3.into(), 5.into()]));
        assert_eq!(go(map(&[("A", 3), ("BSide", 5)]), &[A, B]), both);
        assert_eq!(go(Value::Array(vec![3.into(), 5.into()]), &[A, B]), both);
        assert_eq!(go(7.into(), &[A]), Ok(Value::Array(vec![7.into()])));
        assert_eq!(go(map(&[]), &[]), Ok(Value::Array(vec![])));
        let message = map(&[("a", 1)]);
        assert_eq!(go(message.clone(), &[A]), Ok(Value::Array(vec![message])), "the one argument, as Go has it");
    }
}
