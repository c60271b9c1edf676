//! A file in an archive, as programs make them and as attackers do.

use miniz_oxide::deflate::compress_to_vec;

use super::file::File;

/// How an archive packs a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Deflated.
    Deflated,
    /// As it is.
    Stored,
}

/// An archive around a file.
#[derive(Clone, Debug)]
pub enum Archive {
    /// gzip.
    Gzip,
    /// tar.
    Tar,
    /// ZIP.
    Zip(Zip),
}

/// How a ZIP archive is made.
#[derive(Clone, Debug)]
pub struct Zip {
    /// How the file is packed.
    pub method: Method,
    /// True if checksum and sizes follow the octets.
    pub is_streamed: bool,
    /// True if sizes are in an extra field.
    pub is_64: bool,
    /// Octets in front of the archive.
    pub prefix: Vec<u8>,
    /// A name in the directory instead of the one in front of the octets.
    pub other_name: Option<String>,
    /// True if the header in front of the octets says that they are packed in another way, which
    /// programs ignore that believe the directory.
    pub is_misnamed: bool,
}

impl Zip {
    /// A ZIP archive as most programs make it.
    pub const fn usual(method: Method) -> Self {
        Self {
            method,
            is_streamed: false,
            is_64: false,
            prefix: Vec::new(),
            other_name: None,
            is_misnamed: false,
        }
    }

    fn packed(&self, file: &File) -> Vec<u8> {
        let content = match self.method {
            Method::Deflated => compress_to_vec(&file.content, 6),
            Method::Stored => file.content.clone(),
        };
        let sizes = [content.len() as u32, file.content.len() as u32];
        let mut octets = self.prefix.clone();
        octets.extend(b"PK\x03\x04");
        let is_deflated = (self.method == Method::Deflated) != self.is_misnamed;
        octets.extend(self.fields(
            is_deflated,
            (!self.is_streamed).then_some(sizes),
            &file.name,
        ));
        octets.extend(file.name.as_bytes());
        octets.extend(self.extra(sizes));
        octets.extend(&content);
        if self.is_streamed {
            octets.extend(b"PK\x07\x08\0\0\0\0");
            octets.extend(sizes.map(u32::to_le_bytes).concat());
        }
        let directory = octets.len();
        let name = self.other_name.as_ref().unwrap_or(&file.name);
        octets.extend(b"PK\x01\x02\x2d\0");
        octets.extend(self.fields(self.method == Method::Deflated, Some(sizes), name));
        octets.extend([0; 10]);
        octets.extend((self.prefix.len() as u32).to_le_bytes());
        octets.extend(name.as_bytes());
        octets.extend(self.extra(sizes));
        let length = octets.len() - directory;
        octets.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        octets.extend(
            [length as u32, directory as u32]
                .map(u32::to_le_bytes)
                .concat(),
        );
        octets.extend([0; 2]);
        octets
    }

    /// The fields that are the same in both headers: from the version to the length of the extra field.
    fn fields(&self, is_deflated: bool, sizes: Option<[u32; 2]>, name: &str) -> Vec<u8> {
        let flags = if self.is_streamed { 8_u16 } else { 0 };
        let method = if is_deflated { 8_u16 } else { 0 };
        let sizes = match sizes {
            None => [0; 2],
            Some(_) if self.is_64 => [u32::MAX; 2],
            Some(sizes) => sizes,
        };
        let lengths = [name.len() as u16, self.extra([0; 2]).len() as u16];
        let mut octets = vec![45, 0];
        octets.extend([flags, method].map(u16::to_le_bytes).concat());
        octets.extend([0; 8]);
        octets.extend(sizes.map(u32::to_le_bytes).concat());
        octets.extend(lengths.map(u16::to_le_bytes).concat());
        octets
    }

    fn extra(&self, [packed, size]: [u32; 2]) -> Vec<u8> {
        if !self.is_64 {
            return Vec::new();
        }
        let sizes = [size, packed].map(u64::from).map(u64::to_le_bytes).concat();
        [b"\x01\0\x10\0".as_slice(), &sizes].concat()
    }
}

/// The file in an archive, which has this name.
pub fn packed(archive: &Archive, file: &File, name: &str) -> File {
    let content = match archive {
        Archive::Gzip => gzip(file),
        Archive::Tar => tar(file),
        Archive::Zip(zip) => zip.packed(file),
    };
    File::new(name, content)
}

fn gzip(file: &File) -> Vec<u8> {
    let mut octets = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03".to_vec();
    octets.extend(file.name.as_bytes());
    octets.push(0);
    octets.extend(compress_to_vec(&file.content, 6));
    octets.extend([0; 4]);
    octets.extend((file.content.len() as u32).to_le_bytes());
    octets
}

fn tar(file: &File) -> Vec<u8> {
    let mut header = [0; 512];
    let name = file.name.as_bytes();
    header[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    let size = format!("{:011o}", file.content.len());
    header[124..135].copy_from_slice(size.as_bytes());
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = header.iter().map(|octet| u32::from(*octet)).sum();
    header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    let mut octets = header.to_vec();
    octets.extend(&file.content);
    octets.resize(octets.len().next_multiple_of(512) + 1_024, 0);
    octets
}
