//! MessagePack-RPC as a client of it writes and reads it.

use rmpv::Value;

use super::peer::Peer;

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).expect("memory takes all");
    bytes
}

pub(crate) fn request(id: u32, method: &str, params: impl IntoIterator<Item = Value>) -> Vec<u8> {
    let params = Value::Array(params.into_iter().collect());
    bytes(&Value::Array(vec![0.into(), id.into(), method.into(), params]))
}

pub(crate) fn notification(method: &str, params: impl IntoIterator<Item = Value>) -> Vec<u8> {
    let params = Value::Array(params.into_iter().collect());
    bytes(&Value::Array(vec![2.into(), method.into(), params]))
}

impl Peer {
    /// The next response: id, error, result. `None` at the end.
    pub(crate) fn response(&mut self) -> Option<(u64, Value, Value)> {
        loop {
            let mut rest = &self.buffer[..];
            if let Ok(Value::Array(members)) = rmpv::decode::read_value(&mut rest) {
                let taken = self.buffer.len() - rest.len();
                self.buffer.drain(..taken);
                let [kind, id, error, result] = <[Value; 4]>::try_from(members).expect("four members");
                assert_eq!(kind, 1.into());
                return Some((id.as_u64().expect("a number"), error, result));
            }
            if !self.receive() {
                assert!(self.buffer.is_empty(), "cut: {:?}", self.buffer);
                return None;
            }
        }
    }

    /// The result of a call.
    pub(crate) fn call(&mut self, id: u32, method: &str, params: impl IntoIterator<Item = Value>) -> Value {
        self.send(request(id, method, params));
        let (answered, error, result) = self.response().expect("a response");
        assert_eq!((answered, error), (id.into(), Value::Nil));
        result
    }

    /// How a call fails: code, and whether it has run.
    pub(crate) fn failure(&mut self, id: u32, method: &str, params: impl IntoIterator<Item = Value>) -> (u64, String) {
        self.send(request(id, method, params));
        let (answered, error, result) = self.response().expect("a response");
        assert_eq!((answered, result), (id.into(), Value::Nil));
        let error = error.as_array().expect("an array").clone();
        assert!(error[1].as_str().is_some_and(|message| !message.is_empty()), "{error:?}");
        (error[0].as_u64().expect("a code"), error[2].as_str().expect("a word").to_owned())
    }
}
