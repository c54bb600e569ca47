//! Networks: `192.0.2.0/24`, `2001:db8::/32`, or a single address.

use std::mem;

use ngx::ffi::{
    NGX_DONE, NGX_OK, in6_addr, ngx_cidr_t, ngx_int_t, ngx_ptocidr, ngx_str_t, ngx_uint_t,
};

use super::{Conf, ConfError, lossy};

/// The addresses that have the bits of `addr` where `mask` has ones. `addr` has
/// none elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cidr {
    V4 { addr: u32, mask: u32 },
    V6 { addr: u128, mask: u128 },
}

impl Conf {
    /// Argument `i` as a network. Bits of the address that its mask leaves out
    /// are dropped with a warning.
    pub fn cidr(&self, i: usize) -> Result<Cidr, ConfError> {
        const OK: ngx_int_t = NGX_OK as ngx_int_t;
        const LOW_BITS: ngx_int_t = NGX_DONE as ngx_int_t;
        let text = self.arg(i);
        let mut word = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
        // SAFETY: plain data, for which zero is valid.
        let mut cidr: ngx_cidr_t = unsafe { mem::zeroed() };
        // SAFETY: ngx_ptocidr() only reads the text, and fills in the record.
        match unsafe { ngx_ptocidr(&raw mut word, &raw mut cidr) } {
            OK => {}
            LOW_BITS => {
                self.warn(&format!("low address bits of {} are meaningless", lossy(text)))
            }
            _ => {
                let text = format!("invalid parameter \"{}\"", lossy(text));
                return Err(ConfError::Text(text));
            }
        }
        // SAFETY: the family says which record of the union nginx has filled.
        Ok(unsafe {
            if cidr.family == libc::AF_INET6 as ngx_uint_t {
                let network = cidr.u.in6;
                Cidr::V6 { addr: bits(network.addr), mask: bits(network.mask) }
            } else {
                let network = cidr.u.in_;
                Cidr::V4 {
                    addr: u32::from_be(network.addr),
                    mask: u32::from_be(network.mask),
                }
            }
        })
    }
}

fn bits(addr: in6_addr) -> u128 {
    // SAFETY: an in6_addr is its 16 bytes in network order.
    u128::from_be_bytes(unsafe { mem::transmute::<in6_addr, [u8; 16]>(addr) })
}
