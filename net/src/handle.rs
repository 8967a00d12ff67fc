//! What every socket type offers under its own name: a handle to a [`Socket`](crate::socket::Socket) or a
//! [`Listening`](crate::listening::Listening) socket, shared by its clones.
//!
//! Macros instead of one generic type, so that users see the names that std has.

/// A handle with the field `socket: Arc<$Socket>`, made from an `$Io`.
macro_rules! handle {
    ($Handle:ident, $Socket:ty, $Io:ty) => {
        impl $Handle {
            pub(crate) fn from_nonblocking(io: $Io) -> Self {
                Self::on($crate::backend::Backend::Kernel(io))
            }

            pub(crate) fn on(io: $crate::backend::Backend<$Io>) -> Self {
                Self { socket: <$Socket>::new(io) }
            }

            /// Another handle to the same socket, for instance for another fiber.
            ///
            /// # Errors
            ///
            /// None; the signature is std's, where it duplicates the descriptor.
            pub fn try_clone(&self) -> std::io::Result<Self> {
                Ok(Self { socket: std::sync::Arc::clone(&self.socket) })
            }

            /// The socket's pending error (`SO_ERROR`), which this clears.
            ///
            /// # Errors
            ///
            /// What `getsockopt` reports.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.socket.take_error()
            }

            /// With `true`, operations fail with `WouldBlock` instead of waiting. Default: `false`. Holds for all clones.
            ///
            /// # Errors
            ///
            /// None; the signature is std's. The descriptor itself is always in non-blocking mode.
            pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
                self.socket.set_nonblocking(nonblocking);
                Ok(())
            }
        }

        impl std::fmt::Debug for $Handle {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(self.socket.io(), f)
            }
        }

        impl std::os::fd::AsFd for $Handle {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.socket.io().as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $Handle {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.socket.io().as_raw_fd()
            }
        }
    };
}

/// Timeouts, and conversions from and into std's type, which hand them over. `$Io` is std's type.
macro_rules! timeouts {
    ($Handle:ident, $Io:ty) => {
        impl $Handle {
            /// How long an operation that receives may wait before it fails with `TimedOut`; `None`, the default, waits for ever.
            ///
            /// # Errors
            ///
            /// `InvalidInput` for zero.
            pub fn set_read_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
                self.socket.timeout($crate::registration::Side::Read).set(timeout)
            }

            /// How long an operation that sends may wait before it fails with `TimedOut`; `None`, the default, waits for ever.
            ///
            /// # Errors
            ///
            /// `InvalidInput` for zero.
            pub fn set_write_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
                self.socket.timeout($crate::registration::Side::Write).set(timeout)
            }

            /// How long an operation that receives may wait; see [`set_read_timeout`](Self::set_read_timeout).
            ///
            /// # Errors
            ///
            /// None; the signature is std's.
            pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.socket.timeout($crate::registration::Side::Read).get())
            }

            /// How long an operation that sends may wait; see [`set_write_timeout`](Self::set_write_timeout).
            ///
            /// # Errors
            ///
            /// None; the signature is std's.
            pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.socket.timeout($crate::registration::Side::Write).get())
            }
        }

        /// Puts it into non-blocking mode and takes over its timeouts; fails with what the kernel reports.
        impl TryFrom<$Io> for $Handle {
            type Error = std::io::Error;

            fn try_from(io: $Io) -> std::io::Result<Self> {
                io.set_nonblocking(true)?;
                let (read, write) = (io.read_timeout()?, io.write_timeout()?);
                let handle = Self::from_nonblocking(io);
                handle.set_read_timeout(read)?;
                handle.set_write_timeout(write)?;
                Ok(handle)
            }
        }

        /// Puts it into blocking mode and hands over its timeouts; fails with `ResourceBusy` if a clone shares it (this one is dropped
        /// then).
        impl TryFrom<$Handle> for $Io {
            type Error = std::io::Error;

            fn try_from(handle: $Handle) -> std::io::Result<Self> {
                let (read, write) = (handle.read_timeout()?, handle.write_timeout()?);
                let io = $crate::socket::Socket::into_io(handle.socket)?;
                io.set_nonblocking(false)?;
                io.set_read_timeout(read)?;
                io.set_write_timeout(write)?;
                Ok(io)
            }
        }
    };
}

/// Conversions of a listener from and into std's type `$Std`; `$Io` is mio's.
macro_rules! listener {
    ($Handle:ident, $Io:ty, $Std:ty) => {
        /// Puts it into non-blocking mode; fails with what the kernel reports.
        impl TryFrom<$Std> for $Handle {
            type Error = std::io::Error;

            fn try_from(listener: $Std) -> std::io::Result<Self> {
                listener.set_nonblocking(true)?;
                Ok(Self::from_nonblocking(<$Io>::from_std(listener)))
            }
        }

        /// Puts it into blocking mode; fails with `ResourceBusy` if a clone shares it (this one is dropped then).
        impl TryFrom<$Handle> for $Std {
            type Error = std::io::Error;

            fn try_from(handle: $Handle) -> std::io::Result<Self> {
                let listener = Self::from($crate::listening::Listening::into_io(handle.socket)?);
                listener.set_nonblocking(false)?;
                Ok(listener)
            }
        }
    };
}

pub(crate) use {handle, listener, timeouts};
