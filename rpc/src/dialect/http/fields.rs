//! What the header fields of a request say beside its call.
//!
//! | field | |
//! |---|---|
//! | `Idempotency-Key` | the call runs at most once under it |
//! | `Fibra-Timeout-Ms` | how long the client waits |
//! | any other that is not HTTP's own | metadata, names in lower case |

use std::time::Duration;

use super::Refused;
use super::head::Head;
use crate::dialect::beside::{Beside, Client, Key, NAME_BYTES_MAX};
use crate::dialect::json_rpc::framing::number;
use crate::metadata::Metadata;

/// Fields that are about the message or the connection, or are said otherwise; no metadata.
const OWN: [&str; 16] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "fibra-timeout-ms",
    "host",
    "idempotency-key",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What is said beside a call.
///
/// # Errors
///
/// [`Refused`]
pub fn beside(head: &Head) -> Result<Beside, Refused> {
    let timeout = match head.value("fibra-timeout-ms")? {
        None => None,
        Some(value) => Some(number(value).ok_or(Refused::bad("the timeout is no number"))?),
    };
    let timeout = timeout.map(|millis| Duration::from_millis(millis as u64));
    Ok(Beside { timeout, metadata: metadata(head)?, key: key(head)? })
}

fn metadata(head: &Head) -> Result<Metadata, Refused> {
    let too_large = |_| Refused { status: 431, reason: "the header fields are too long or too many for metadata" };
    let mut metadata = Metadata::new();
    for (name, value) in head.fields.iter().filter(|(name, _)| !OWN.contains(&&name[..])) {
        match (str::from_utf8(value), metadata.text(name)) {
            // As RFC 9110, section 5.3, has it.
            (Ok(text), Some(before)) => {
                let both = format!("{before}, {text}");
                metadata.insert(name, &both[..]).map_err(too_large)?;
            }
            (Ok(text), None) => metadata.insert(name, text).map_err(too_large)?,
            (Err(_), _) => metadata.insert(name, &value[..]).map_err(too_large)?,
        }
    }
    Ok(metadata)
}

/// The key, with what the client authorizes itself by as its secret.
fn key(head: &Head) -> Result<Option<Key>, Refused> {
    let Some(value) = head.value("idempotency-key")? else { return Ok(None) };
    // A string of RFC 9651, or what many send instead.
    let name = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    match str::from_utf8(name) {
        Ok(name) if fits => Ok(Some(Key {
            client: Client::OfRequest(name.to_owned()),
            secret: head.value("authorization")?.unwrap_or_default().to_vec(),
            xid: 1,
            first_incomplete: 0,
        })),
        _ => Err(Refused::bad("the idempotency key is no text of 1 to 255 characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::head::read;
    use super::*;

    fn of(fields: &str) -> Result<Beside, Refused> {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{fields}\r\n");
        beside(&read(text.as_bytes(), 0).expect("a head").expect("whole").0)
    }

    #[test]
    fn metadata_timeout_and_key() {
        let beside = of(
            "Authorization: Bearer x\r\nX-Tag: a\r\nx-tag: b\r\nFibra-Timeout-Ms: 500\r\nIdempotency-Key: \"8e03\"\r\n",
        );
        let beside = beside.expect("it fits");
        assert_eq!(beside.timeout, Some(Duration::from_millis(500)));
        let entries: Vec<_> = beside.metadata.iter().map(|(key, _)| key.to_owned()).collect();
        assert_eq!(entries, ["authorization", "x-tag"]);
        assert_eq!(beside.metadata.text("x-tag"), Some("a, b"));
        let key = beside.key.expect("it has one");
        assert_eq!((key.client, &key.secret[..]), (Client::OfRequest("8e03".into()), &b"Bearer x"[..]));
    }

    #[test]
    fn what_is_none() {
        let long = format!("Idempotency-Key: {}\r\n", "k".repeat(256));
        for fields in [
            "Fibra-Timeout-Ms: soon\r\n",
            "Fibra-Timeout-Ms: -1\r\n",
            "Idempotency-Key: \"\"\r\n",
            "Idempotency-Key: a\r\nIdempotency-Key: a\r\n",
            "Idempotency-Key: \u{e9}\r\n",
            &long,
        ] {
            assert_eq!(of(fields).map(|_| ()).map_err(|refused| refused.status), Err(400), "{fields}");
        }
    }
}
