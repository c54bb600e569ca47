//! Digests and checksums: `ngx.md5`, `ngx.sha1_bin`, `ngx.hmac_sha1`,
//! `ngx.crc32_short` and their kin.
//!
//! Called by `api`. nginx has MD5, SHA-1 and CRC-32 of its own, but its HMAC
//! comes only with OpenSSL, so that `ngx.hmac_sha1` would be missing in some
//! builds; its SHA-1 and CRC-32 use neither the SHA nor the carry-less multiply
//! instructions, which these crates look for at run time; and code that links
//! against nginx cannot be unit-tested without it.
//!
//! MD5 and SHA-1 are here because protocols ask for them, not as a protection.

use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

/// The 16 bytes of `ngx.md5_bin`.
pub fn md5(src: &[u8]) -> [u8; 16] {
    Md5::digest(src).into()
}

/// The 20 bytes of `ngx.sha1_bin`.
pub fn sha1(src: &[u8]) -> [u8; 20] {
    Sha1::digest(src).into()
}

/// The 20 bytes of `ngx.hmac_sha1`; a key of any length will do.
pub fn hmac_sha1(key: &[u8], src: &[u8]) -> [u8; 20] {
    match Hmac::<Sha1>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(src).finalize().into_bytes().into(),
        Err(_) => unreachable!("HMAC takes keys of every length"),
    }
}

/// The CRC-32 of IEEE 802.3: `ngx.crc32_short` and `ngx.crc32_long` both, which
/// differ in nginx by the size of the table only.
pub fn crc32(src: &[u8]) -> u32 {
    crc32fast::hash(src)
}

/// Appends `src` as lower-case hex digits.
///
/// ```
/// # use ngx_tcp_lua_module::text::hash::{append_hex, md5};
/// let mut out = Vec::new();
/// append_hex(&md5(b""), &mut out);
/// assert_eq!(out, b"d41d8cd98f00b204e9800998ecf8427e");
/// ```
pub fn append_hex(src: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";

    out.extend(
        src.iter().flat_map(|&c| [HEX[usize::from(c >> 4)], HEX[usize::from(c & 15)]]),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(src: &[u8]) -> String {
        let mut out = Vec::new();
        append_hex(src, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// RFC 1321 A.5.
    #[test]
    fn md5_table() {
        let cases = [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        ];
        for (src, want) in cases {
            assert_eq!(hex(&md5(src.as_bytes())), want, "{src:?}");
        }
    }

    /// RFC 3174 section 7.3, and the empty string.
    #[test]
    fn sha1_table() {
        let cases = [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            ),
        ];
        for (src, want) in cases {
            assert_eq!(hex(&sha1(src.as_bytes())), want, "{src:?}");
        }
    }

    /// RFC 2202 section 3: keys shorter, as long as and longer than a block.
    #[test]
    fn hmac_sha1_table() {
        let long = [0xaa; 80];
        let cases: [(&[u8], &[u8], &str); 5] = [
            (&[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            (&[0xaa; 20], &[0xdd; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
            (
                &long,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
            (b"", b"", "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"),
        ];
        for (key, src, want) in cases {
            assert_eq!(hex(&hmac_sha1(key, src)), want);
        }
    }

    #[test]
    fn crc32_table() {
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"a"), 0xe8b7_be43);
        assert_eq!(crc32(b"123456789"), 3_421_780_262);
    }

    #[test]
    fn hex_of_every_nibble() {
        assert_eq!(hex(b""), "");
        assert_eq!(
            hex(&[0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xff]),
            "000123456789abcdefff"
        );
    }
}
