//! Which trace a call is part of: W3C Trace Context, as `traceparent` and `tracestate` in the call's metadata.
//!
//! ```text
//!   00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//!   version ─ trace id ───────────────── parent id ────── flags
//! ```
//!
//! Source: W3C Recommendation "Trace Context" (Level 1, 2021-11-23), sections 3.2 and 3.3.
//!
//! Invariants:
//! * Neither id is zero. What does not parse is as if it were not there.
//! * `tracestate` is passed on as it came: it is other systems'.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use fibra_scheduler::ambient;

use crate::metadata::Metadata;
use crate::random;

/// The metadata key of the ids, ...
pub const TRACEPARENT: &str = "traceparent";

/// ... and that of what other tracing systems add.
pub const TRACESTATE: &str = "tracestate";

/// Longest `tracestate` that is passed on: what the recommendation asks for at least.
const TRACESTATE_BYTES_MAX: usize = 512;

const SAMPLED: u8 = 1;

/// A place in a trace: what a call's callees name as their parent.
///
/// A handler is within that of its call, and the calls that it makes go on with it. A caller that is in none may begin one:
///
/// ```
/// use fibra_rpc::TraceContext;
///
/// let trace = TraceContext::generate();
/// trace.scope(|| {
///     assert_eq!(TraceContext::current(), Some(trace.clone()));
///     // Calls made here are part of it.
/// });
/// assert_eq!(trace.to_string().parse(), Ok(trace));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
    state: Option<Arc<str>>,
}

/// A text that is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATraceparent;

impl fmt::Display for NotATraceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a W3C traceparent: 00-32 hex digits-16 hex digits-2 hex digits, lower case, no id of zeros")
    }
}

impl std::error::Error for NotATraceparent {}

impl TraceContext {
    /// The beginning of a new trace, sampled.
    pub fn generate() -> Self {
        let trace_id = (u128::from(random::bits()) << 64) | u128::from(random::bits());
        Self { trace_id: trace_id.max(1), span_id: random::bits().max(1), flags: SAMPLED, state: None }
    }

    /// That of the caller: of the call that it serves, or of the [`scope`](Self::scope) that it is in.
    pub fn current() -> Option<Self> {
        ambient::get(|current: Option<&Self>| current.cloned())
    }

    /// Whether the caller is in a trace.
    #[inline]
    pub(crate) fn is_current() -> bool {
        ambient::get(|current: Option<&Self>| current.is_some())
    }

    /// Runs `f`: the calls that it makes on this fiber are part of the trace.
    pub fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        ambient::with(self, f)
    }

    /// Another place in the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span_id: random::bits().max(1), ..self.clone() }
    }

    /// The trace.
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The place in it.
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// Whether who began the trace records it.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// What other tracing systems have added.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// What came with a call.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        let context: Self = metadata.text(TRACEPARENT)?.parse().ok()?;
        let state = metadata.text(TRACESTATE).filter(|state| is_state(state)).map(Arc::from);
        Some(Self { state, ..context })
    }

    /// Puts it in a call's metadata; whether there was room.
    pub(crate) fn put(&self, metadata: &mut Metadata) -> bool {
        let state = |state: &Arc<str>| metadata.insert(TRACESTATE, &**state).is_ok();
        // One that does not fit is let go, as the recommendation has it; the ids are not.
        let _ = self.state.as_ref().map(state);
        metadata.insert(TRACEPARENT, &self.to_string()).is_ok()
    }
}

/// Text that may go into logs and headers; its members are not ours to look at.
fn is_state(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= TRACESTATE_BYTES_MAX
        && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e | b'\t'))
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The one flag that the version defines.
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags & SAMPLED)
    }
}

impl FromStr for TraceContext {
    type Err = NotATraceparent;

    fn from_str(text: &str) -> Result<Self, NotATraceparent> {
        let bytes = text.as_bytes();
        let fields = bytes.first_chunk::<55>().ok_or(NotATraceparent)?;
        let version = hex(&fields[..2])?;
        let separated = fields[2] == b'-' && fields[35] == b'-' && fields[52] == b'-';
        // A later version may have more fields; ours has none. 255 is no version.
        let ends = match bytes.get(55) {
            None => true,
            Some(next) => version != 0 && *next == b'-',
        };
        if version == 0xff || !separated || !ends {
            return Err(NotATraceparent);
        }
        let trace_id = hex(&fields[3..35])?;
        let span_id = u64::try_from(hex(&fields[36..52])?).map_err(|_| NotATraceparent)?;
        let flags = u8::try_from(hex(&fields[53..55])?).map_err(|_| NotATraceparent)?;
        if trace_id == 0 || span_id == 0 {
            return Err(NotATraceparent);
        }
        Ok(Self { trace_id, span_id, flags: flags & SAMPLED, state: None })
    }
}

/// Digits of lower case only, at most 32.
fn hex(digits: &[u8]) -> Result<u128, NotATraceparent> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Ok((number << 4) | u128::from(digit - b'0')),
        b'a'..=b'f' => Ok((number << 4) | u128::from(digit - b'a' + 10)),
        _ => Err(NotATraceparent),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<TraceContext, NotATraceparent> {
        text.parse()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(trace_id in 1..=u128::MAX, span_id in 1..=u64::MAX, sampled in any::<bool>()) {
            let context = TraceContext { trace_id, span_id, flags: sampled.into(), state: None };
            prop_assert_eq!(parse(&context.to_string()), Ok(context));
        }

        #[test]
        fn random_text_never_panics(text in ".{0,80}", digits in "[0-9a-fA-F-]{50,60}") {
            let _ = (parse(&text), parse(&digits));
        }

        /// Whatever is accepted is of the form, and its ids are those that it spells.
        #[test]
        fn a_changed_byte_is_refused_or_is_another(at in 0..55_usize, to in any::<char>()) {
            let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            let changed: String = good.chars().enumerate().map(|(index, char)| if index == at { to } else { char }).collect();
            if let Ok(context) = parse(&changed) {
                prop_assert_eq!(&context.to_string()[3..52], &changed[3..52]);
                prop_assert!(!changed.contains(|char: char| char.is_ascii_uppercase()));
            }
        }

        #[test]
        fn it_travels_in_metadata(sampled in any::<bool>(), state in proptest::option::of("[ -~]{1,512}")) {
            let context = TraceContext { flags: sampled.into(), state: state.map(Arc::from), ..TraceContext::generate() };
            let mut metadata = Metadata::new();
            prop_assert!(context.put(&mut metadata));
            prop_assert_eq!(TraceContext::of(&metadata), Some(context));
        }
    }

    #[test]
    fn what_the_recommendation_says() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = parse(good).expect("its own example");
        assert_eq!(context.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((context.span_id(), context.is_sampled()), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(context.to_string(), good);
        let ok = |text: &str| parse(text).is_ok();
        assert!(ok("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), "a later version");
        assert!(ok("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-is-to-come"));
        assert!(!ok("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what-is-not"));
        assert!(!ok("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"), "version 0 has no more");
        assert!(!ok("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), "no version");
        assert!(!ok("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), "no trace");
        assert!(!ok("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"), "no parent");
        assert!(!ok("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"), "upper case");
        assert!(!ok("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"), "cut short");
        assert!(!parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02").expect("another flag").is_sampled());
    }

    #[test]
    fn a_state_alone_or_a_wild_one_is_not_passed_on() {
        let mut metadata = Metadata::new();
        metadata.insert(TRACESTATE, "vendor=1").expect("room");
        assert_eq!(TraceContext::of(&metadata), None);
        TraceContext::generate().put(&mut metadata);
        assert_eq!(TraceContext::of(&metadata).as_ref().and_then(TraceContext::state), Some("vendor=1"));
        metadata.insert(TRACESTATE, "line\nbreak").expect("room");
        assert_eq!(TraceContext::of(&metadata).as_ref().and_then(TraceContext::state), None);
    }
}
