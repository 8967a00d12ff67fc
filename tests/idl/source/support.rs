//! A message on its way: to a server of this process and back, as what travels.

use fibra::rpc::client::Proxy;
use fibra::rpc::codec::Value;
use fibra::rpc::{CallError, Channel, Server};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What comes back of `sent` from a method that takes an `M` and returns it.
pub(crate) fn through<M, S, T>(sent: &S) -> Result<T, CallError<Value>>
where
    M: Serialize + DeserializeOwned + 'static,
    S: Serialize,
    T: DeserializeOwned,
{
    let server = Server::builder().method("test.echo", |(message,): (M,)| message);
    let channel = Channel::local_server(server).expect("one method");
    Proxy::new(channel).call_by_name("test.echo", &(sent,))
}

/// A message as it travels.
pub(crate) fn travelling<M: Serialize + DeserializeOwned + 'static>(message: &M) -> Value {
    through::<M, _, _>(message).expect("it travels")
}

/// A message that arrives as this.
pub(crate) fn arriving<M: Serialize + DeserializeOwned + 'static>(value: &Value) -> Result<M, CallError<Value>> {
    through::<M, _, _>(value)
}

/// A map by text.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// What a map has by that name.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    let entries = value.as_map().expect("a map");
    let entry = entries.iter().find(|(key, _)| key.as_str() == Some(name));
    entry.map_or_else(|| panic!("no {name} in {value}"), |(_, value)| value)
}
