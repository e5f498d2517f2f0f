//! The unsafe half: SQLite's virtual file system interface, wrapped around the system's own.
//!
//! Each open file is our header followed by the real file's memory, as SQLite allocates `szOsFile` bytes for both. Every method passes
//! through to the real file, after the journal has been asked; locks and shared memory pass through untouched.
#![allow(unsafe_code, reason = "SQLite's file layer is a C interface; this module is all of it")]

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use libsqlite3_sys as ffi;
use libsqlite3_sys::{sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use super::journal::{Disk, Fault};

/// Our part of an open file; the real file follows it in memory.
#[repr(C)]
struct Shim {
    base: sqlite3_file,
    /// Owned; made at open, dropped at close.
    open: *mut Open,
}

struct Open {
    disk: Arc<Disk>,
    /// Temporary files have no name and are not followed: nothing of them outlives a crash.
    path: Option<PathBuf>,
    /// Failed syncs of the file that this handle has been told of.
    told: AtomicU64,
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Registers a file layer for this disk and answers its name.
pub(super) fn register(disk: &Arc<Disk>) -> &'static str {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name: &'static str =
        format!("switchboard-faults-{}", NUMBER.fetch_add(1, Ordering::Relaxed)).leak();
    let c_name = CString::new(name).unwrap_or_default().into_raw();
    // SAFETY: the default layer lives as long as the process; ours is a copy of it with a few
    // methods replaced, and both it and the disk are leaked, so that they live as long.
    unsafe {
        ffi::sqlite3_initialize();
        let real = ffi::sqlite3_vfs_find(ptr::null());
        let mut ours = *real;
        ours.iVersion = ours.iVersion.min(2);
        ours.szOsFile += size_of::<Shim>() as c_int;
        ours.pNext = ptr::null_mut();
        ours.zName = c_name;
        // The system's other methods do not look at this field; `open` and `delete` hand them
        // the real layer.
        ours.pAppData = Arc::into_raw(disk.clone()).cast_mut().cast();
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 0);
    }
    name
}

fn code(fault: Fault) -> c_int {
    match fault {
        Fault::Crashed => ffi::SQLITE_IOERR,
        Fault::Full => ffi::SQLITE_FULL,
        Fault::Sync => ffi::SQLITE_IOERR_FSYNC,
    }
}

/// The disk behind a registered layer.
unsafe fn disk_of(vfs: *mut sqlite3_vfs) -> Arc<Disk> {
    // SAFETY: `register` stored a leaked `Arc<Disk>` there.
    unsafe {
        let raw: *const Disk = (*vfs).pAppData.cast();
        Arc::increment_strong_count(raw);
        Arc::from_raw(raw)
    }
}

unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite's names end with a zero and live for the call.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    Some(PathBuf::from(OsStr::from_bytes(bytes)))
}

/// The real file behind ours, its methods, and what we know about it.
unsafe fn parts<'a>(
    file: *mut sqlite3_file,
) -> (*mut sqlite3_file, &'a sqlite3_io_methods, &'a Open) {
    // SAFETY: SQLite only hands us files that `open` has prepared.
    unsafe {
        let shim: *mut Shim = file.cast();
        let real: *mut sqlite3_file = shim.add(1).cast();
        (real, &*(*real).pMethods, &*(*shim).open)
    }
}

/// Calls a method of the real file.
macro_rules! real {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: passes SQLite's own arguments on to the layer that it would have called.
        unsafe {
            let (real, methods, _) = parts($file);
            match methods.$method {
                Some(method) => method(real $(, $argument)*),
                None => ffi::SQLITE_IOERR,
            }
        }
    }};
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes at `file`, which hold our header and the real file.
    unsafe {
        let shim: *mut Shim = file.cast();
        (*shim).base.pMethods = ptr::null();
        let disk = disk_of(vfs);
        if let Err(fault) = disk.alive() {
            return code(fault);
        }
        let path = path_of(name);
        let is_new = path.as_deref().is_some_and(|path| !path.exists());
        let system = ffi::sqlite3_vfs_find(ptr::null());
        let Some(real_open) = (*system).xOpen else { return ffi::SQLITE_CANTOPEN };
        let real: *mut sqlite3_file = shim.add(1).cast();
        let answer = real_open(system, name, real, flags, out_flags);
        if answer == ffi::SQLITE_OK {
            let told = AtomicU64::new(disk.opened(path.as_deref(), is_new));
            (*shim).open = Box::into_raw(Box::new(Open { disk, path, told }));
            (*shim).base.pMethods = &raw const METHODS;
        }
        answer
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    // SAFETY: passes SQLite's own arguments on to the system's layer.
    unsafe {
        let disk = disk_of(vfs);
        if let Err(fault) = disk.alive() {
            return code(fault);
        }
        if let Some(path) = path_of(name) {
            disk.deleted(&path);
        }
        let system = ffi::sqlite3_vfs_find(ptr::null());
        (*system).xDelete.map_or(ffi::SQLITE_IOERR, |delete| delete(system, name, sync_dir))
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let answer = real!(file, xClose);
    // SAFETY: `open` made the box, and SQLite closes a file once.
    unsafe {
        let shim: *mut Shim = file.cast();
        let open = Box::from_raw((*shim).open);
        open.disk.closed();
    }
    answer
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: see `parts`.
    let (_, _, open) = unsafe { parts(file) };
    match open.disk.alive() {
        Ok(()) => real!(file, xRead, to, n, at),
        Err(fault) => code(fault),
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    n: c_int,
    at: i64,
) -> c_int {
    // SAFETY: see `parts`.
    let (_, _, open) = unsafe { parts(file) };
    let noted = open.disk.alive().and_then(|()| {
        let Some(path) = &open.path else { return Ok(()) };
        let (bytes, length) = (u64::try_from(n).unwrap_or(0), length_of(file));
        let old = |from, bytes| bytes_of(file, from, bytes, length);
        open.disk.writing(path, at.cast_unsigned(), bytes, length, old)
    });
    match noted {
        Ok(()) => real!(file, xWrite, from, n, at),
        Err(fault) => code(fault),
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, to: i64) -> c_int {
    // SAFETY: see `parts`.
    let (_, _, open) = unsafe { parts(file) };
    if let Err(fault) = open.disk.alive() {
        return code(fault);
    }
    if let Some(path) = &open.path {
        let length = length_of(file);
        let old = |from, bytes| bytes_of(file, from, bytes, length);
        open.disk.truncating(path, to.cast_unsigned(), length, old);
    }
    real!(file, xTruncate, to)
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: see `parts`.
    let (_, _, open) = unsafe { parts(file) };
    let path: &Path = open.path.as_deref().unwrap_or(Path::new(""));
    // The real disk need not be asked: what counts is what the journal takes for synced.
    match open.disk.alive().and_then(|()| open.disk.syncing(path, &open.told)) {
        Ok(()) => ffi::SQLITE_OK,
        Err(fault) => code(fault),
    }
}

/// The present length of the real file.
fn length_of(file: *mut sqlite3_file) -> u64 {
    let mut length = 0i64;
    real!(file, xFileSize, &raw mut length);
    u64::try_from(length).unwrap_or(0)
}

/// What stands in the real file, as far as it goes.
fn bytes_of(file: *mut sqlite3_file, at: u64, bytes: u64, length: u64) -> Vec<u8> {
    let bytes = bytes.min(length.saturating_sub(at));
    let mut buffer = vec![0u8; usize::try_from(bytes).unwrap_or(0)];
    if !buffer.is_empty() {
        let n = c_int::try_from(buffer.len()).unwrap_or(c_int::MAX);
        real!(file, xRead, buffer.as_mut_ptr().cast(), n, at.cast_signed());
    }
    buffer
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut i64) -> c_int {
    real!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    real!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    real!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    real!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, op: c_int, arg: *mut c_void) -> c_int {
    real!(file, xFileControl, op, arg)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    real!(file, xSectorSize)
}

/// No promises: neither atomic writes nor safe appends, so that SQLite takes every precaution.
unsafe extern "C" fn device_characteristics(_file: *mut sqlite3_file) -> c_int {
    0
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    real!(file, xShmMap, page, size, extend, out)
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, at: c_int, n: c_int, flags: c_int) -> c_int {
    real!(file, xShmLock, at, n, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: see `parts`.
    unsafe {
        let (real, methods, _) = parts(file);
        if let Some(barrier) = methods.xShmBarrier {
            barrier(real);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    real!(file, xShmUnmap, delete)
}
