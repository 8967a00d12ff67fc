//! Every bound of this crate, by name: what a peer can make us hold, do or wait for.
//!
//! Invariants:
//! * Nothing that a peer can grow is without an entry here.
//! * Sizes are in bytes and count what they say; a limit is the largest value that is still accepted.
//! * What a user may want to change is a field of [`Limits`]; the rest protects the stack or the protocol and is fixed.

use std::time::Duration;

use crate::session::WINDOW;

/// The limits of one connection that its owner may set.
///
/// Both ends apply their own: a call is bounded by the smaller of the two.
///
/// ```
/// let mut limits = fibra_rpc::Limits::default();
/// limits.frame_bytes = 64 * 1024 * 1024; // uploads
/// let server = fibra_rpc::Server::builder().limits(limits);
/// # let _ = server;
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest frame body, sent or received. Default 4 MiB. At least 1 KiB, so that every failure fits, and at most 4 GiB,
    /// which is all that a header can say: what is set outside of this counts as the nearest bound.
    pub frame_bytes: usize,
    /// Calls on one connection that have begun and not ended. Default 1,024.
    ///
    /// At the limit a client's next caller parks until a call ends; a server refuses the call, which then has not run.
    pub in_flight: usize,
    /// At-most-once calls of a session that its client has no reply to. Default 512, at most 65,535 and an eighth of
    /// [`frame_bytes`](Self::frame_bytes), so that a client can name them all in a frame; both sides keep to the smaller of theirs.
    ///
    /// At the limit a client's next such caller parks until one of them ends. So what the server keeps for a client has a bound: the replies of these
    /// and of as many that it does not know yet to have arrived.
    pub window: usize,
    /// Bytes waiting in a connection's output buffer for the peer to take them. Default 8 MiB.
    ///
    /// At the limit senders park, and a server stops reading; see [`WRITE_STALL_MAX`] for how long. One frame is let
    /// in whatever its size as long as the buffer is below the limit.
    pub buffered_bytes: usize,
    /// Bytes of one stream's items that may be on their way to this side or wait here to be taken. Default 256 KiB. At least
    /// [`STREAM_CREDIT_INITIAL`], at most 1 GiB.
    ///
    /// At the limit the peer's sender parks. It should hold what the network carries in a round trip, or it slows a stream down.
    pub stream_window: usize,
    /// Bytes that all streams of a connection together may have as windows, beyond [`STREAM_CREDIT_INITIAL`] each. Default 16 MiB.
    ///
    /// Streams that begin when it is used up get a smaller window, and go on.
    pub stream_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 4 * 1024 * 1024,
            in_flight: 1_024,
            window: WINDOW,
            buffered_bytes: 8 * 1024 * 1024,
            stream_window: 256 * 1024,
            stream_bytes: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// These limits with every field within its bounds.
    pub(crate) fn bounded(mut self) -> Self {
        self.frame_bytes = self.frame_bytes.clamp(1024, u32::MAX as usize);
        self.in_flight = self.in_flight.max(1);
        self.window = self.window.clamp(1, (self.frame_bytes / 8).min(u16::MAX.into()));
        self.buffered_bytes = self.buffered_bytes.max(1);
        self.stream_window = self.stream_window.clamp(STREAM_CREDIT_INITIAL as usize, STREAM_CREDIT_MAX as usize);
        self
    }
}

/// Deepest nesting of arrays and maps in a body, the argument array included.
///
/// Fixed: serde decodes by recursion, on the fiber's own stack. A debug build takes about 2.5 KiB of stack per level,
/// so that 32 levels leave two thirds of a default stack to the handler.
pub const DEPTH_MAX: usize = 32;

/// Most values in the arrays and maps of a body, all together; a map's entry is two.
///
/// A value of one byte may become one of hundreds of bytes once it is decoded: a megabyte of nils is 136 MB as a `Vec<Option<[u64; 16]>>`. Bytes and text are
/// one value, however long; who has more to say than so many says it in several calls, or by a stream.
pub const DECODE_VALUES_MAX: usize = 256 * 1024;

/// Longest full method name (`service.method`): what its one length byte can say.
pub const METHOD_NAME_BYTES_MAX: usize = u8::MAX as usize;

/// Longest metadata of a call, as it travels.
pub const METADATA_BYTES_MAX: usize = 8 * 1024;

/// Entries of a call's metadata.
pub const METADATA_ENTRIES_MAX: usize = 64;

/// Requests in one batch of JSON-RPC. What has more is no request.
pub const BATCH_CALLS_MAX: usize = 1_024;

/// Longest explanation in a failure reply or a goaway; what is longer is cut.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// What one read asks for, and the size of the input buffer of a client's idle connection. (A server's has none.)
///
/// A buffer grows with the bytes that arrive, never by what a header announces: at most twice the bytes received.
pub const READ_BYTES: usize = 16 * 1024;

/// A server writes its batch of replies once it is this long, even if more input waits.
pub const FLUSH_BYTES: usize = 64 * 1024;

/// What one write hands to the operating system: in between, who waits for room is told of it.
pub const WRITE_BYTES_MAX: usize = 256 * 1024;

/// Cancels that overtake the calls they were read with; any more take effect only in their turn, too late.
pub const CANCELS_AHEAD_MAX: usize = 64;

/// Bytes of items that a client may send with a call, before the server has said anything. Part of the protocol.
pub const STREAM_CREDIT_INITIAL: u32 = 16 * 1024;

/// Least credit that a frame may give. Part of the protocol: with less, a peer could keep us busy with nothing.
pub const STREAM_CREDIT_MIN: u32 = 256;

/// Most credit that a stream may have at a time; a peer that gives more is malformed.
pub const STREAM_CREDIT_MAX: u32 = 1 << 30;

/// Longest piece of an item: what is longer travels in several frames, with others' between them.
pub const STREAM_PIECE_BYTES_MAX: usize = 64 * 1024;

/// While credit is short, a piece is at least so long, unless it is the last or the credit can never be that much.
pub const STREAM_PIECE_BYTES_MIN: usize = 4 * 1024;

/// Calls of one connection that have been answered while their client could still send items, and whose end has not come.
pub const STREAM_REMNANTS_MAX: usize = 16 * 1024;

/// A buffer of at most such capacity is kept by who makes one message after the other, also while nothing is in it: for a reply while its handler runs.
pub const SMALL_BYTES: usize = 256;

/// Buffers that a thread keeps for reuse, each of at most [`FLUSH_BYTES`] capacity.
pub const SCRATCH_BUFFERS_MAX: usize = 256;

/// Connections of one server at a time, unless the builder says otherwise. Those beyond are closed at once.
pub const CONNECTIONS_MAX: usize = 100_000;

/// Calls of one server, over all its connections, whose handlers wait for something, unless the
/// [builder](crate::server::Builder::waiting_max) says otherwise. With as many, further calls are refused as overloaded.
///
/// Each holds a fiber: about 600 MB if a stack uses two pages.
pub const SERVER_WAITING_MAX: usize = 64 * 1024;

/// When a client is to try again whose call was refused because of [`SERVER_WAITING_MAX`].
pub const PUSHBACK_FULL: Duration = Duration::from_millis(100);

/// Bytes that all connections of a server together hold because their peers are slow, unless the
/// [builder](crate::server::Builder::buffered_bytes_max) says otherwise.
pub const SERVER_BUFFERED_BYTES_MAX: usize = 512 * 1024 * 1024;

/// How long a call waits for its reply, unless [`Proxy::within`](crate::client::Proxy::within) says otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest timeout of a call; what is longer is cut. A call never waits without end.
pub const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a longer wait of a client's settings counts as: a century. So "never" may be said by [`Duration::MAX`], which no clock can add to its time.
pub const SETTING_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How long connecting may take, name resolution not included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the first of several servers has to answer before the next is dialled, too: the delay that RFC 8305 recommends.
pub const NEXT_SERVER_DELAY: Duration = Duration::from_millis(250);

/// How long a client whose connection was lost waits before it connects again, at first ...
pub const RECONNECT_WAIT_MIN: Duration = Duration::from_millis(10);

/// ... and at most: each attempt that fails doubles it. What is waited is a random half to all of it.
pub const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long a session lasts without a connection, unless the builder says otherwise.
pub const SESSION_LEASE: Duration = Duration::from_secs(30 * 60);

/// Bytes of replies that a server keeps for a session. A reply beyond is not kept: if it gets lost, its caller learns only that the call
/// has run.
pub const SESSION_REPLY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of them that a session may keep whatever the others do ...
pub const SESSION_REPLY_BYTES_MIN: usize = 4 * 1024;

/// ... and bytes that all sessions of a server may keep beyond. Where they are used up, a reply is not kept, either.
pub const SERVER_REPLY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Calls of ordered lanes that a server holds back for a session, until those have ended that come before them. More are refused.
pub const SESSION_HELD_MAX: usize = 1_024;

/// Bytes of them that are held back for a session, [so many](HELD_CALL_BYTES) for each included ...
pub const SESSION_HELD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// ... and for all sessions of a server, beyond [`SESSION_REPLY_BYTES_MIN`] each.
pub const SERVER_HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What holding a call back takes beside what it says, about.
pub const HELD_CALL_BYTES: usize = 512;

/// A call that is held back is given up before its time is up, so that its caller still hears that it has not run: by one part in so many of
/// its timeout, ...
pub const HELD_MARGIN_SHARE: u32 = 8;

/// ... but no more than this.
pub const HELD_MARGIN_MAX: Duration = Duration::from_millis(100);

/// How long a call may wait for its turn at a server that has more to do than it can, unless the builder says otherwise: see
/// [`Builder::queue_delay_max`](crate::server::Builder::queue_delay_max).
///
/// Five milliseconds are less than people or timeouts notice, and more than a worker's own pauses; after an overload what still waits is done with
/// in about twice that time.
pub const QUEUE_DELAY_MAX: Duration = Duration::from_millis(5);

/// ... or for so many calls before it, if that takes longer.
pub const QUEUE_DELAY_CALLS: u32 = 4;

/// ... or for one part in so many of its timeout: who is ready to wait for long is not refused for little. With the default timeout that is half
/// a second.
pub const QUEUE_DELAY_SHARE: u32 = 20;

/// How long a connection's turn may take, and how long those who serve a worker's connections go on, before others have theirs: other connections,
/// and other fibers. A call that takes longer ends first.
pub const TURN_TIME_MAX: Duration = Duration::from_millis(1);

/// So many connections are told at a time that their server drains, or closed as it shuts down, before others have their turn.
pub const LOOK_CONNECTIONS_MAX: usize = 64;

/// Calls wait for their turn for so long without a break before any is refused for it, or twice as
/// long as they may, if that is longer: what is shorter is a burst, which a server just works off.
pub const QUEUE_STANDS_AFTER: Duration = Duration::from_millis(100);

/// One part in so many of its time, at most, goes into refusing calls that could still be served. A refusal costs a few microseconds: a server
/// comes to this only where calls take no longer than that themselves, or so many come that it would do nothing else.
pub const REFUSING_SHARE: u32 = 2;

/// How soon a client is to try again whose call was refused as too late, at least ...
pub const PUSHBACK_MIN: Duration = Duration::from_millis(10);

/// ... and at most. In between: twice as long as that call has waited.
pub const PUSHBACK_MAX: Duration = Duration::from_secs(1);

/// How long a server that [drains](crate::Server::drain) still runs calls that come, if it has twice as long: their clients may not have heard of
/// it yet. Who calls later does not listen, and is refused.
pub const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Frames of a connection that bring nothing forward, beyond a window of them and one for each new call: pings, cancels, calls that have come
/// before, credit for what is over. A client that sends more is malformed; so is a server that sends more pings.
pub const GLITCHES_MAX: u16 = 1_024;

/// So many more of them are allowed with each second.
pub const GLITCHES_PER_SECOND: u16 = 64;

/// What a call that streams allows: its cancel, and credit that crosses its answer.
pub const GLITCHES_PER_STREAM: u16 = 4;

/// How long a client may take to open its connection, from when it is served.
pub const PREFACE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a frame may take from its first byte to its last, after a connection has been opened, unless the
/// [builder](crate::server::Builder::frame_timeout) says otherwise. The default limit on a frame then takes 70 KB a second.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the head of an HTTP request may take, from its first byte. Its body may then take as long as a [frame](FRAME_TIMEOUT).
pub const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an HTTP connection may be idle between requests.
pub const HTTP_IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// How long a server that closes a connection with a reason waits for the peer to receive it, ...
pub const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// ... and how many bytes of what the peer still sends it drops meanwhile.
pub const FAREWELL_BYTES_MAX: usize = 1024 * 1024;

/// How long a peer may take nothing of what we write before the connection is closed.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(30);

/// How a server finds out that a client is gone that has not said so: its kernel asks the client's when nothing has come for a minute, and closes
/// the connection if that has not answered within another.
pub const PEER_PROBES: fibra_net::Keepalive =
    fibra_net::Keepalive { idle: Duration::from_secs(60), interval: Duration::from_secs(15), probes: 4 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode::Decoder;
    use crate::wire::encode;

    #[test]
    fn a_frame_names_all_that_a_client_may_have_set_aside() {
        for frame_bytes in [0, 1_024, 3_000, Limits::default().frame_bytes] {
            let Limits { frame_bytes, window, .. } =
                Limits { frame_bytes, window: 1 << 20, ..Limits::default() }.bounded();
            let mut frame = Vec::new();
            encode::acknowledge(&mut frame, window as u64, 1..window as u64);
            let decoded = Decoder::of(frame, frame_bytes).next_frame();
            assert!(matches!(decoded, Ok(Some(_))), "{window} of {frame_bytes} bytes: {decoded:?}");
        }
    }
}
