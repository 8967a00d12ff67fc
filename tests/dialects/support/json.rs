//! JSON-RPC over TCP as a client of it writes and reads it.

use serde_json::Value;

use super::peer::Peer;

/// Whether two texts are the same JSON but for the order of members.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    parse(one) == parse(other)
}

impl Peer {
    /// The next line. `None` at the end.
    pub(crate) fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(String::from_utf8(line).expect("JSON is UTF-8").trim_end().to_owned());
            }
            if !self.receive() {
                assert!(self.buffer.is_empty(), "cut: {:?}", self.buffer);
                return None;
            }
        }
    }

    /// The next line, as JSON.
    pub(crate) fn json(&mut self) -> Value {
        let line = self.line().expect("a response");
        serde_json::from_str(&line).expect("JSON")
    }

    /// What a line is answered with.
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        self.send([line, "\n"].concat());
        self.json()
    }
}
