//! A call's frame: its head, what goes with it, and its arguments.

use fibra_scheduler::{cancel, clock};
use serde::Serialize;

use super::Exchange;
use crate::client::calls::Why;
use crate::codec::{self, EncodeError};
use crate::error::{CallError, Executed, Side};
use crate::limits::METHOD_NAME_BYTES_MAX;
use crate::metadata::Metadata;
use crate::scratch;
use crate::wire::encode::{self, Body};
use crate::wire::header::{self, FLAG_CLIENT_STREAM};

impl Exchange<'_> {
    /// The call's frame, in a buffer of the pool.
    pub(super) fn encode<A: Serialize>(&self, args: &A, flags: u8, metadata: &Metadata) -> Result<Vec<u8>, CallError> {
        self.encode_with(flags, None, metadata, |body| codec::encode_args(body, args))
    }

    /// The frame of a call with streams, and with these encoded `args`.
    pub(in crate::client) fn opening(
        &self,
        args: &[u8],
        metadata: &Metadata,
        window: usize,
    ) -> Result<Vec<u8>, CallError> {
        let streams = self.method.streams();
        let flags = if streams.client() { FLAG_CLIENT_STREAM } else { 0 };
        let credit = streams.server().then(|| u32::try_from(window).unwrap_or(u32::MAX));
        self.encode_with(flags, credit, metadata, |body| {
            body.push(args);
            Ok(())
        })
    }

    /// The arguments, encoded, for a frame that is made later.
    pub(in crate::client) fn args<A: Serialize>(&self, args: &A) -> Result<Vec<u8>, CallError> {
        let max = self.to.frame_bytes();
        let mut bytes = Vec::new();
        let mut body = encode::item(&mut bytes, 0, max);
        let encoded = codec::encode_args(&mut body, args);
        let encoded = encoded.and_then(|()| body.finish().map_err(|_| EncodeError::TooLarge));
        encoded.map_err(|error| self.unencodable(error))?;
        bytes.drain(..header::LEN.min(bytes.len()));
        Ok(bytes)
    }

    #[inline]
    fn encode_with(
        &self,
        flags: u8,
        credit: Option<u32>,
        metadata: &Metadata,
        args: impl FnOnce(&mut Body<'_>) -> Result<(), EncodeError>,
    ) -> Result<Vec<u8>, CallError> {
        if let Err(interrupted) = cancel::check() {
            return Err(self.ended(Why::Interrupted(interrupted), Executed::No));
        }
        if self.deadline.is_some_and(|deadline| deadline <= clock::now()) {
            return Err(self.timed_out(Executed::No));
        }
        // None has an empty name, for which a server would close the connection, and a longer one would have to be cut.
        if !(1..=METHOD_NAME_BYTES_MAX).contains(&self.method.full_name().len()) {
            let message = format!("a method's name has 1 to {METHOD_NAME_BYTES_MAX} bytes");
            return Err(CallError::UnknownMethod { callee: self.callee(), message });
        }
        let max = self.to.frame_bytes();
        let lane = self.lane().filter(|_| flags == 0 && credit.is_none());
        let mut frame = scratch::take();
        let mut body = encode::call_with(&mut frame, self.method.full_name(), flags, lane, metadata, credit, max);
        let encoded = args(&mut body);
        let encoded = encoded.and_then(|()| body.finish().map_err(|_| EncodeError::TooLarge));
        match encoded {
            Ok(()) => Ok(frame),
            Err(error) => Err(self.unencodable(error)),
        }
    }

    fn unencodable(&self, error: EncodeError) -> CallError {
        let callee = self.callee();
        match error {
            EncodeError::TooLarge => {
                let message = format!("over this client's limit of {} bytes", self.to.frame_bytes());
                CallError::TooLarge { callee, side: Side::Request, message }
            }
            EncodeError::Serialize(message) => CallError::BadArguments { callee, message },
        }
    }
}
