//! Examines content, and what is packed in it, within limits on the work and on the memory.

use std::fmt;

use crate::config::{Config, Undecided};
use crate::content::{self, Container};
use crate::formats::{File, Finding, Packing, encoded, gzip, tar, tnef};
use crate::inflate::Deflated;
use crate::name;
use crate::scan::{Signatures, scan};
use crate::source::{Slice, Source, Unpacked};

/// Examines the content of one message.
pub(crate) struct Examiner<'a> {
    config: &'a Config,
    /// The octets that may still be unpacked from archives in archives.
    archives: u32,
    /// The octets that may still be unpacked from other files.
    others: u32,
    /// The files that may still be opened.
    files: u32,
}

/// Content to examine.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) label: Label<'a>,
    pub(crate) nature: Nature,
    /// In how many other files this one is.
    depth: u32,
}

/// What is known about content before it is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// A file, which a user opens.
    File,
    /// A file in octets that were examined as they are: what they contain was found.
    Known,
    /// Possibly no file at all, but octets read in an unlikely way. Only sure marks count.
    Doubtful,
    /// A text, which is shown.
    Text,
}

impl<'a> Item<'a> {
    /// The content of a part of a message.
    pub(crate) const fn new(source: &'a dyn Source, label: Label<'a>, nature: Nature) -> Self {
        Self {
            source,
            label,
            nature,
            depth: 0,
        }
    }
}

/// The name of a file, and of the files that it is in.
#[derive(Clone, Copy)]
pub(crate) struct Label<'a> {
    pub(crate) name: &'a str,
    pub(crate) holder: Option<&'a Self>,
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            "" => f.write_str("a file without name")?,
            name => f.write_str(&name::shown(name))?,
        }
        self.holder
            .map_or(Ok(()), |holder| write!(f, " in {holder}"))
    }
}

impl<'a> Examiner<'a> {
    pub(crate) const fn new(config: &'a Config) -> Self {
        Self {
            config,
            archives: MAX_ARCHIVES,
            others: MAX_OTHERS,
            files: MAX_FILES,
        }
    }

    /// The objection to content, if there is one.
    pub(crate) fn examine(&mut self, item: &Item<'_>) -> Option<String> {
        let start = item.source.read(0, content::START);
        if self.config.programs
            && let Some(kind) = program(&start, item)
        {
            return Some(format!("{} is {kind}", item.label));
        }
        if !self.config.look_into_archives {
            return None;
        }
        if let Some(container) = Container::of(&start)
            && let Some(objection) = self.open(container, item)
        {
            return Some(objection);
        }
        if item.nature == Nature::Known {
            return None;
        }
        scan(item.source, Signatures::All, &mut |found| {
            self.take(found, item)
        })
    }

    /// The objection to attachments that are encoded in a text.
    pub(crate) fn examine_text(&mut self, item: &Item<'_>) -> Option<String> {
        if !self.config.look_into_archives {
            return None;
        }
        scan(item.source, Signatures::Text, &mut |found| {
            self.take(found, item)
        })
    }

    fn open(&mut self, container: Container, item: &Item<'_>) -> Option<String> {
        let source = item.source;
        if item.depth > MAX_DEPTH {
            return self.closed(&item.label, "nested too deeply");
        }
        match container {
            Container::Closed(reason) => self.closed(&item.label, reason),
            Container::Gzip => gzip::walk(source, &mut |found| self.take(found, item)),
            Container::Tar => tar::walk(source, &mut |found| self.take(found, item)),
            Container::Tnef => tnef::walk(source, &mut |found| self.take(found, item)),
            Container::Zip => None,
        }
    }

    fn take(&mut self, found: Finding, item: &Item<'_>) -> Option<String> {
        match found {
            Finding::Closed(reason) => self.closed(&item.label, reason),
            Finding::File(file) => self.file(&file, item),
            Finding::Name(name) => self.config.is_blocked(&name).then(|| {
                let label = Label {
                    name: &name,
                    holder: Some(&item.label),
                };
                label.to_string()
            }),
        }
    }

    fn closed(&self, label: &Label<'_>, reason: &str) -> Option<String> {
        (self.config.closed == Undecided::Block).then(|| format!("{label} is {reason}"))
    }

    fn file(&mut self, file: &File, holder: &Item<'_>) -> Option<String> {
        let label = Label {
            name: &file.name,
            holder: Some(&holder.label),
        };
        // A file of a ZIP archive comes a second time, as deflated octets.
        if file.packing != Packing::Deflated {
            let Some(left) = self.files.checked_sub(1) else {
                return self.closed(&holder.label, "an archive with too many files");
            };
            self.files = left;
        }
        let item = |source, nature| Item {
            source,
            label,
            nature,
            depth: holder.depth + 1,
        };
        if file.packing == Packing::Stored {
            let slice = Slice::new(holder.source, file.offset, file.length);
            return self.examine(&item(&slice, nature(file, Nature::Known)));
        }
        if holder.depth >= MAX_DEPTH {
            return self.closed(&holder.label, "nested too deeply");
        }
        let mut content = Unpacked::default();
        let is_complete = self.unpack(file, holder.source, &mut content);
        if !is_complete {
            return self.closed(&label, "too large to be looked into");
        }
        match content.len() {
            0 => None,
            _ => self.examine(&item(&content, nature(file, Nature::File))),
        }
    }

    /// Unpacks as much of a file as has to be examined. Returns false if that exceeds the limits.
    fn unpack(&mut self, file: &File, source: &dyn Source, content: &mut Unpacked) -> bool {
        let is_complete = match file.packing {
            Packing::Base64 | Packing::Uu | Packing::Yenc => {
                let limit = self.archives;
                let (used, is_complete) =
                    encoded::decode(source, file.offset, file.packing, limit, content);
                self.archives = limit.saturating_sub(used);
                return is_complete;
            }
            Packing::Deflated => {
                let mut stream = Deflated::new(source, file.offset);
                stream.fill(content, content::START);
                let size = self.size(file, content);
                stream.fill(content, size.unwrap_or(self.archives));
                stream.is_over() || size.is_some()
            }
            Packing::Gzip => self.gunzip(file, source, content),
            Packing::Stored => true,
        };
        let used = content.len() + OVERHEAD;
        match self.size(file, content) {
            Some(_) => self.others = self.others.saturating_sub(used),
            None => self.archives = self.archives.saturating_sub(used),
        }
        is_complete
    }

    /// Unpacks the members of a gzip file one after the other.
    fn gunzip(&self, file: &File, source: &dyn Source, content: &mut Unpacked) -> bool {
        let mut member = gzip::member(source, file.offset);
        for _ in 0..MAX_MEMBERS {
            let Some(begin) = member else {
                return true;
            };
            let mut stream = Deflated::new(source, begin);
            stream.fill(content, content::START);
            let size = self.size(file, content);
            stream.fill(content, size.unwrap_or(self.archives));
            if !stream.is_over() {
                return size.is_some();
            }
            // A checksum and a length follow.
            member = gzip::member(source, stream.end().saturating_add(8));
        }
        false
    }

    /// How much of a file is examined, whose first octets were unpacked; `None` if all of it, since it
    /// may hold other files.
    fn size(&self, file: &File, content: &Unpacked) -> Option<u32> {
        let extensions = name::extensions(&file.name);
        let is_one_of = |list: &[&str]| {
            extensions
                .iter()
                .any(|found| list.contains(&found.as_str()))
        };
        let container = Container::of(&content.read(0, content::START));
        let is_archive =
            file.is_stated && is_one_of(&ARCHIVES) || container.is_some() && !is_one_of(&DOCUMENTS);
        (!is_archive).then(|| self.others.clamp(content::START, MAX_OTHER))
    }
}

fn nature(file: &File, usual: Nature) -> Nature {
    match file.is_stated {
        true => usual,
        false => Nature::Doubtful,
    }
}

/// The kind of a program or of something else that a system installs or mounts.
fn program(start: &[u8], item: &Item<'_>) -> Option<&'static str> {
    let (sure, script) = match item.nature {
        // Two octets are `MZ` by accident.
        Nature::Doubtful => {
            let is_windows = content::is_portable_executable(item.source);
            (is_windows || !start.starts_with(b"MZ"), false)
        }
        Nature::File | Nature::Known => (true, content::is_script(start)),
        Nature::Text => (true, false),
    };
    let found = content::executable(start).filter(|_| sure);
    let found = found.or_else(|| content::installable(start, item.source));
    found.or_else(|| script.then_some("a script"))
}

/// The most octets that are unpacked from archives in the archives of a message: less than the memory
/// of an instance.
const MAX_ARCHIVES: u32 = 20 << 20;
/// The most octets that are unpacked from other files in the archives of a message.
const MAX_OTHERS: u32 = 4 << 20;
/// The most octets that are unpacked from one of these files.
const MAX_OTHER: u32 = 65_536;
/// The most files in the archives of a message.
const MAX_FILES: u32 = 10_000;
/// The most members of a gzip file.
const MAX_MEMBERS: u32 = 2_000;
/// What each file costs, whatever its size.
const OVERHEAD: u32 = 64;
/// The most archives within one another that are opened.
const MAX_DEPTH: u32 = 5;
/// Extensions of archives that are looked into.
const ARCHIVES: [&str; 7] = ["gz", "gzip", "tar", "taz", "tgz", "zip", "zipx"];
/// Extensions of documents that are archives, which are opened as documents.
const DOCUMENTS: [&str; 26] = [
    "docm", "docx", "dotm", "dotx", "epub", "key", "kmz", "numbers", "odb", "odf", "odg", "odp",
    "ods", "odt", "oxps", "pages", "potx", "ppsx", "pptm", "pptx", "vsdx", "xlsb", "xlsm", "xlsx",
    "xltx", "xps",
];
