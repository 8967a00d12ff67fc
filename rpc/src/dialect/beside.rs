//! What a call may have beside its parameters: how long its client waits, metadata, and by which key it runs at most once.
//!
//! JSON-RPC has a member for it, `fibra`, and HTTP has header fields.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::metadata::Metadata;
use crate::session::Xid;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// `None`: the client does not say.
    pub timeout: Option<Duration>,
    /// Entries.
    pub metadata: Metadata,
    /// `None`: each copy of the call is another call.
    pub key: Option<Key>,
}

/// What names a call to its client for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The client's name, as it has chosen it; from elsewhere than the name of another kind.
    pub client: Client,
    /// What shows that the name is its own; may be empty.
    pub secret: Vec<u8>,
    /// The call, of that client.
    pub xid: Xid,
    /// The first call that the client has no answer to; 0: it does not say.
    pub first_incomplete: Xid,
}

/// Which name is a client's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// One by which it makes many calls.
    Named(String),
    /// One that it has made for one request: an idempotency key.
    OfRequest(String),
}

/// Longest name of a client or idempotency key, and longest secret.
pub const NAME_BYTES_MAX: usize = 255;

/// The member `fibra` of a JSON-RPC request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member<'a> {
    timeout_ms: Option<u64>,
    #[serde(borrow, default)]
    metadata: BTreeMap<Cow<'a, str>, String>,
    client: Option<String>,
    secret: Option<String>,
    xid: Option<u64>,
    first_incomplete: Option<u64>,
}

impl Beside {
    /// The same with what the member `fibra` of a request adds, which is JSON.
    ///
    /// ```
    /// use fibra_rpc::dialect::beside::Beside;
    ///
    /// let beside = Beside::default().and_member(r#"{"timeout_ms": 500, "client": "till 7", "xid": 1}"#)?;
    /// assert_eq!(beside.timeout, Some(std::time::Duration::from_millis(500)));
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub fn and_member(mut self, json: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("the member `fibra`: {what}");
        let member: Member<'_> = serde_json::from_str(json).map_err(|error| wrong(&error.to_string()))?;
        self.timeout = member.timeout_ms.map(Duration::from_millis).or(self.timeout);
        for (key, value) in &member.metadata {
            self.metadata.insert(key, &value[..]).map_err(|unacceptable| wrong(&unacceptable.to_string()))?;
        }
        match (member.client, member.xid) {
            (Some(client), Some(xid @ 1..)) if fits(&client) && member.secret.as_deref().is_none_or(fits) => {
                self.key = Some(Key {
                    client: Client::Named(client),
                    secret: member.secret.unwrap_or_default().into_bytes(),
                    xid,
                    first_incomplete: member.first_incomplete.unwrap_or(0),
                });
            }
            (None, None) if member.secret.is_none() && member.first_incomplete.is_none() => {}
            _ => return Err(wrong("`client` and `xid`, from 1 on, come together, and are short")),
        }
        Ok(self)
    }

    /// The same, of one request of several that have come under one key.
    pub fn of_part(&self, index: usize) -> Self {
        let mut part = self.clone();
        if let Some(key) = &mut part.key {
            key.xid += index as Xid;
        }
        part
    }
}

fn fits(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_added_to_what_came_otherwise() {
        let mut metadata = Metadata::new();
        metadata.insert("tenant", "a").expect("it fits");
        metadata.insert("user", "b").expect("it fits");
        let outer = Beside { timeout: Some(Duration::from_secs(3)), metadata, key: None };
        let member = r#"{"metadata":{"user":"c"},"client":"x","xid":7,"first_incomplete":5,"secret":"s"}"#;
        let beside = outer.and_member(member).expect("a member");
        assert_eq!(beside.timeout, Some(Duration::from_secs(3)));
        assert_eq!((beside.metadata.text("tenant"), beside.metadata.text("user")), (Some("a"), Some("c")));
        let key = Key { client: Client::Named("x".into()), secret: b"s".to_vec(), xid: 7, first_incomplete: 5 };
        assert_eq!(beside.key, Some(key));
        assert_eq!(beside.of_part(2).key.map(|key| key.xid), Some(9));
    }

    #[test]
    fn what_is_none() {
        let long = format!(r#"{{"client":"{}","xid":1}}"#, "x".repeat(256));
        for member in [
            "1",
            "{\"timeout\":1}",
            "{\"timeout_ms\":-1}",
            "{\"client\":\"x\"}",
            "{\"xid\":1}",
            "{\"client\":\"x\",\"xid\":0}",
            "{\"secret\":\"x\"}",
            "{\"metadata\":{\"\":\"x\"}}",
            "{\"metadata\":{\"a\":1}}",
            &long,
        ] {
            assert!(Beside::default().and_member(member).is_err(), "{member}");
        }
    }
}
