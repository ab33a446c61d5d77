//! Calls to the host for which the SDK has no function, or one that costs more: all `unsafe` of the filter is here.
//!
//! What the SDK's own cost is in docs/benchmarks.md: it copies a request's headers twice, line by line.

use crate::host::Failed;

/// A map of headers, by the ABI's number for it.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Map {
    Request = 0,
    /// Of the answer to a callout.
    Answer = 6,
}

/// A clock, by WASI's number for it.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Clock {
    Wall = 0,
    Monotonic = 1,
}

/// All pairs of a map, as [`pairs`] reads them.
pub(crate) fn header_pairs(map: Map) -> Result<Vec<u8>, Failed> {
    let mut bytes = core::ptr::null_mut();
    let mut size = 0;
    // SAFETY: the host writes a pointer and a size to valid places.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let status = unsafe { env::proxy_get_header_map_pairs(map as u32, &raw mut bytes, &raw mut size) };
    done(status)?;
    if bytes.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the host got this memory from the SDK's `malloc`, which makes a vector of just this capacity with the
    // allocator that frees it here, and the host wrote all of it. It is ours from now on.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let bytes = unsafe { Vec::from_raw_parts(bytes, size, size) };
    Ok(bytes)
}

/// Reads header pairs: their number; the lengths of all names and values; then these themselves, each ended by a zero
/// byte. Numbers have 32 bits and are little-endian.
///
/// # Errors
///
/// When the bytes are anything else, and when a name is not UTF-8.
pub(crate) fn pairs(bytes: &[u8]) -> Result<Vec<(&str, &[u8])>, Failed> {
    let Some((number, rest)) = bytes.split_first_chunk() else {
        return if bytes.is_empty() { Ok(Vec::new()) } else { Err(Failed) };
    };
    let lengths = usize::try_from(u32::from_le_bytes(*number)).ok().and_then(|number| number.checked_mul(8));
    let (lengths, mut rest) = lengths.and_then(|bytes| rest.split_at_checked(bytes)).ok_or(Failed)?;
    let (lengths, _) = lengths.as_chunks::<4>();
    let mut text = |length: &[u8; 4]| {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (text, after) = rest.split_at_checked(length)?;
        rest = after.strip_prefix(b"\0")?;
        Some(text)
    };
    let (lengths, _) = lengths.as_chunks::<2>();
    let mut pair = |[name, value]: &[[u8; 4]; 2]| {
        let name = core::str::from_utf8(text(name)?).ok()?;
        Some((name, text(value)?))
    };
    let mut pairs = Vec::with_capacity(lengths.len());
    for lengths in lengths {
        pairs.push(pair(lengths).ok_or(Failed)?);
    }
    if rest.is_empty() { Ok(pairs) } else { Err(Failed) }
}

/// Sets a property of one name, which is filter state below `wasm.`.
pub(crate) fn set_property(name: &str, value: &[u8]) -> Result<(), Failed> {
    // SAFETY: both pointers are valid for the lengths beside them, and the host copies before it returns.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let status = unsafe { env::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    done(status)
}

/// Answers the request. The SDK's function passes no response-code details; the access log wants them.
pub(crate) fn send_local_response(
    status: u16,
    details: &str,
    headers: &[(&str, String)],
    body: &str,
) -> Result<(), Failed> {
    const NO_GRPC_STATUS: i32 = -1;
    let headers = serialize(headers);
    // SAFETY: all pointers are valid for the lengths beside them, and the host copies before it returns.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let status = unsafe {
        env::proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    };
    done(status)
}

/// What [`pairs`] reads.
fn serialize(pairs: &[(&str, String)]) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = Vec::from(length(pairs.len()));
    for (name, value) in pairs {
        bytes.extend(length(name.len()));
        bytes.extend(length(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [*name, value.as_str()]) {
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// Nanoseconds of this clock. The SDK has the wall clock only, which may jump.
pub(crate) fn nanoseconds(clock: Clock) -> Result<u64, Failed> {
    const PRECISION: u64 = 1_000_000;
    let mut nanoseconds = 0;
    // SAFETY: WASI's function writes one u64 to a valid place and keeps no pointer.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let errno = unsafe { wasi::clock_time_get(clock as u32, PRECISION, &raw mut nanoseconds) };
    done(u32::from(errno)).map(|()| nanoseconds)
}

/// Eight random bytes: the target has no randomness of its own, and hash maps need a seed.
pub(crate) fn random() -> Result<u64, Failed> {
    let mut bytes = [0; 8];
    // SAFETY: WASI's function writes `len` bytes to a valid place and keeps no pointer.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let errno = unsafe { wasi::random_get(bytes.as_mut_ptr(), bytes.len()) };
    done(u32::from(errno)).map(|()| u64::from_le_bytes(bytes))
}

/// Runs the root context's `on_queue_ready`, from inside a stream's callback.
///
/// To the host every callout is the root's. The SDK files it under the context whose callback it is running,
/// and drops its answer when that is gone (`followers_are_served_when_the_leader_leaves`). There is no call
/// by which a stream could make the root run, but there is the SDK's own entry for the host.
pub(crate) fn call_root(root: u32) {
    const NO_QUEUE: u32 = 0;
    // SAFETY: the function is the SDK's, of this very module. It borrows the table of root contexts, which no
    // callback of a stream has borrowed.
    #[allow(unsafe_code, reason = "the SDK exports it for the host alone")]
    unsafe {
        proxy_on_queue_ready(root, NO_QUEUE);
    }
}

fn done(status: u32) -> Result<(), Failed> {
    if status == 0 { Ok(()) } else { Err(Failed) }
}

#[allow(unsafe_code, reason = "the SDK exports it for the host alone")]
unsafe extern "C" {
    fn proxy_on_queue_ready(root: u32, queue: u32);
}

mod env {
    #[link(wasm_import_module = "env")]
    #[allow(unsafe_code, reason = "the ABI is C's")]
    unsafe extern "C" {
        pub(super) fn proxy_get_header_map_pairs(map: u32, bytes: *mut *mut u8, size: *mut usize) -> u32;
        pub(super) fn proxy_set_property(
            path: *const u8,
            path_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;
    }
}

mod wasi {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    #[allow(unsafe_code, reason = "the ABI is C's")]
    unsafe extern "C" {
        pub(super) fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u16;
        pub(super) fn random_get(buffer: *mut u8, length: usize) -> u16;
    }
}
