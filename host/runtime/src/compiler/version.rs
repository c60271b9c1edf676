//! The version of a plugin according to its author.

use wasmparser::{Parser, Payload};

/// Returns the text of the custom section `version`, which `wasm-tools metadata add --version` and other
/// component tools write; the Rust SDK writes the version of the crate. The section of the component
/// takes precedence over those of modules in it.
///
/// Returns `None` if there is no such section, or if its text is not printable.
pub(super) fn version_of(wasm: &[u8]) -> Option<String> {
    let mut depth = 0_u32;
    let mut found: Option<(u32, &[u8])> = None;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section)
                if section.name() == SECTION && found.is_none_or(|(level, _)| depth < level) =>
            {
                found = Some((depth, section.data()));
            }
            _ => {}
        }
    }
    let (_, text) = found?;
    let text = str::from_utf8(text).ok()?;
    is_version(text).then(|| text.to_owned())
}

/// True if a text can be a version: 1 to 64 visible characters of ASCII.
pub(super) fn is_version(text: &str) -> bool {
    let is_printable = text.bytes().all(|octet| octet.is_ascii_graphic());
    is_printable && (1..=MAX_LENGTH).contains(&text.len())
}

/// The name of the custom section.
const SECTION: &str = "version";
/// The greatest length of a version in octets.
const MAX_LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    /// Encodes a section. Its length must be below 128 octets, which take one octet in LEB128.
    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn version(text: &[u8]) -> Vec<u8> {
        section(0, &[b"\x07version", text].concat())
    }

    #[test]
    fn the_outermost_version_takes_precedence() {
        let module = [MODULE, &version(b"1.0.0")].concat();
        let inner = [COMPONENT, &section(1, &module)].concat();
        let outer = [inner.as_slice(), &version(b"2.0.0-rc.1+x")].concat();
        let table = [
            (MODULE.to_vec(), None),
            (module, Some("1.0.0")),
            (inner, Some("1.0.0")),
            (outer, Some("2.0.0-rc.1+x")),
        ];
        for (wasm, expected) in table {
            assert_eq!(version_of(&wasm).as_deref(), expected);
        }
    }

    #[test]
    fn text_that_is_not_printable_is_no_version() {
        let long = [b'1'; MAX_LENGTH + 1];
        for text in [
            &b""[..],
            b"1.0\n2.0",
            b"1 0",
            b"\xff",
            "1.0é".as_bytes(),
            &long,
        ] {
            assert_eq!(version_of(&[MODULE, &version(text)].concat()), None);
        }
        assert_eq!(version_of(b""), None);
        assert_eq!(version_of(b"\0asm\x01\0\0\0\0\x09"), None);
    }
}
