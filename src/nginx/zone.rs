//! Shared memory zones: declared while the configuration is read, made by
//! nginx (or found again, after a reload with the same name and size) before
//! its workers are.

use std::ffi::c_void;
use std::mem::size_of;
use std::ops::Range;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_ERROR, NGX_LOG_EMERG, NGX_OK, ngx_int_t, ngx_log_error_core, ngx_module_t,
    ngx_parse_size, ngx_shared_memory_add, ngx_shm_zone_t, ngx_slab_pool_t, ngx_str_t,
};

use super::conf::{Conf, ConfError, ConfResult};
use super::guard::guard;
use super::memory::Memory;

/// Whoever declares a zone.
pub trait Owner: 'static {
    /// The zone is there, for as long as the configuration. `is_new` if nothing
    /// was ever done with it; it is zero then, but for nginx's own part.
    fn ready(&'static self, mapping: Mapping, is_new: bool) -> ConfResult;
}

/// A zone's memory in this process.
pub struct Mapping {
    memory: Memory,
    /// A mapping of our own: nginx unmaps its own when a reload changes the
    /// zone, while the old configuration is still in use.
    own: Option<(NonNull<c_void>, usize)>,
}

impl Mapping {
    /// All of the zone behind nginx's part.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// # Safety
    /// - `len` bytes at `addr` are a zone's mapping, and longer than nginx's
    ///   part.
    unsafe fn new(addr: NonNull<c_void>, len: usize) -> Mapping {
        // The slab pool's header is nginx's, who unlocks its mutex when a worker
        // dies; nobody asks it for memory.
        let head = size_of::<ngx_slab_pool_t>().next_multiple_of(64);
        // SAFETY: the old size 0 asks for a second mapping of shared memory
        // (mremap(2)); the first stays as it is. The memory of either is used
        // behind the header only, and is aligned to a page.
        unsafe {
            let copy = libc::mremap(addr.as_ptr(), 0, len, libc::MREMAP_MAYMOVE);
            let own = (copy != libc::MAP_FAILED).then(|| NonNull::new(copy)).flatten();
            let base = own.unwrap_or(addr).cast::<u8>().add(head);
            Mapping { memory: Memory::new(base, len - head), own: own.map(|p| (p, len)) }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Some((addr, len)) = self.own {
            // SAFETY: made by new() and used through self only.
            unsafe { libc::munmap(addr.as_ptr(), len) };
        }
    }
}

/// A size as nginx writes them, `10m`; none if it is not one.
pub fn parse_size(text: &[u8]) -> Option<usize> {
    let mut text = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    // SAFETY: ngx_parse_size() only reads the string.
    usize::try_from(unsafe { ngx_parse_size(&raw mut text) }).ok()
}

/// Declares a zone named by argument `i` of the directive. False if this module
/// has declared it before.
pub fn declare<T: Owner>(
    cf: &mut Conf,
    i: usize,
    size: usize,
    module: *const ngx_module_t,
    owner: &'static T,
) -> Result<bool, ConfError> {
    let place = (i, 0..cf.arg(i).len());
    let found = declare_or_find(cf, place, size, module, owner)?;
    Ok(ptr::eq(found, owner))
}

/// Declares a zone named by a part of an argument, or finds the owner that has declared
/// it before. A module has owners of one type only.
pub fn declare_or_find<T: Owner>(
    cf: &mut Conf,
    (i, part): (usize, Range<usize>),
    size: usize,
    module: *const ngx_module_t,
    owner: &'static T,
) -> Result<&'static T, ConfError> {
    let name = cf.arg(i).get(part).unwrap_or_default();
    let mut name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
    // SAFETY: cf is being read; nginx copies the string, whose text is in the
    // cycle's pool as all arguments are. What it returns is in that pool, too. Of a zone
    // with the tag of a module of ours the data is what is set here, of this cycle.
    unsafe {
        let tag = module.cast_mut().cast();
        let zone = ngx_shared_memory_add(cf.as_ptr(), &raw mut name, size, tag);
        let Some(zone) = zone.as_mut() else { return Err(ConfError::Logged) };
        if let Some(found) = zone.data.cast_const().cast::<T>().as_ref() {
            return Ok(found);
        }
        zone.init = Some(init::<T>);
        zone.data = ptr::from_ref(owner).cast_mut().cast();
    }
    Ok(owner)
}

unsafe extern "C" fn init<T: Owner>(
    zone: *mut ngx_shm_zone_t,
    old: *mut c_void,
) -> ngx_int_t {
    guard("the start of a shared memory zone", NGX_ERROR as ngx_int_t, || {
        // SAFETY: nginx passes a zone that declare::<T>() has set up, mapped
        // and with its pool made, and what its predecessor had as data, if its
        // memory is the predecessor's.
        unsafe {
            let Some(addr) = NonNull::new((*zone).shm.addr.cast()) else {
                return NGX_ERROR as ngx_int_t;
            };
            let owner = &*(*zone).data.cast::<T>();
            let mapping = Mapping::new(addr, (*zone).shm.size);
            match owner.ready(mapping, old.is_null()) {
                Ok(()) => NGX_OK as ngx_int_t,
                Err(error) => {
                    report(zone, error);
                    NGX_ERROR as ngx_int_t
                }
            }
        }
    })
}

/// # Safety
/// - `zone` is live.
unsafe fn report(zone: *mut ngx_shm_zone_t, error: ConfError) {
    let text = match error {
        ConfError::Logged => return,
        ConfError::At(location, sentence) => format!("{sentence} in {location}"),
        ConfError::Directive(text) | ConfError::Text(text) => text,
    };
    // SAFETY: the zone's log is the cycle's; the format takes a length and as
    // many bytes.
    unsafe {
        ngx_log_error_core(
            NGX_LOG_EMERG as usize,
            (*zone).shm.log,
            0,
            c"%*s".as_ptr(),
            text.len(),
            text.as_ptr(),
        );
    }
}
