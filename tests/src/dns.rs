//! A name server with a fixed set of records.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A DNS record.
#[derive(Clone, Copy, Debug)]
pub enum Record {
    /// An A or AAAA record.
    Address(IpAddr),
    /// An MX record: the preference and the name, which is empty in a null MX.
    Exchanger(u16, &'static str),
    /// A PTR record.
    Pointer(&'static str),
    /// A TXT record in two strings.
    Text(&'static str, &'static str),
    /// The server answers SERVFAIL.
    Failure,
}

/// A name server on a free loopback port. It runs as long as the test.
pub struct NameServer {
    address: SocketAddr,
    queries: Arc<AtomicUsize>,
    /// The socket of a server that does not answer. It keeps the port in use.
    silent: Option<UdpSocket>,
}

impl NameServer {
    /// Starts a server with these records. It answers NXDOMAIN for other names.
    pub fn with(records: &[(&'static str, Record)]) -> Self {
        let (socket, address) = bound();
        let records = records.to_vec();
        let queries = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&queries);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                count.fetch_add(1, Ordering::Relaxed);
                let Some(answer) = answer(&query[..length], &records) else {
                    continue;
                };
                // It fails if the gateway has already ended.
                _ = socket.send_to(&answer, client);
            }
        });
        Self {
            address,
            queries,
            silent: None,
        }
    }

    /// Starts a server that never answers.
    pub fn dead() -> Self {
        let (socket, address) = bound();
        Self {
            address,
            queries: Arc::default(),
            silent: Some(socket),
        }
    }

    /// The number of queries so far.
    pub fn queries(&self) -> usize {
        self.queries.load(Ordering::Relaxed)
    }

    /// Returns settings with which a gateway uses this server, with a short timeout if it never
    /// answers.
    pub fn settings(&self) -> String {
        let timeout = match self.silent {
            Some(_) => "300ms",
            None => "5s",
        };
        self.settings_with(timeout)
    }

    /// Like [`Self::settings`], with this timeout.
    pub fn settings_with(&self, timeout: &str) -> String {
        format!(
            "dns.servers = [\"{}\"]\ndns.timeout = \"{timeout}\"",
            self.address
        )
    }
}

fn bound() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("a bound socket has an address");
    (socket, address)
}

/// Returns the answer to a query with one question (RFC 1035, section 4.1), or `None` if the query is
/// malformed.
fn answer(query: &[u8], records: &[(&str, Record)]) -> Option<Vec<u8>> {
    let (name, length) = name_at(query.get(HEADER..)?)?;
    let question = query.get(HEADER..HEADER + length + 4)?;
    let kind = u16::from_be_bytes([question[length], question[length + 1]]);
    let known: Vec<_> = records
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(&name))
        .map(|(_, record)| *record)
        .collect();
    let code = match known.first() {
        None => NXDOMAIN,
        Some(Record::Failure) => SERVFAIL,
        Some(_) => 0,
    };
    let records: Vec<_> = known.into_iter().filter_map(data_of).collect();
    let fitting: Vec<_> = records.iter().filter(|(of, _)| *of == kind).collect();
    let mut answer = query[..2].to_vec();
    answer.extend([RESPONSE, RECURSION_AVAILABLE | code, 0, 1]);
    answer.extend(u16::try_from(fitting.len()).ok()?.to_be_bytes());
    answer.extend([0; 4]);
    answer.extend(question);
    for (_, data) in fitting {
        answer.extend(QUESTION_NAME);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 1, 44]);
        answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

/// Parses the name at the start, and returns it and its length in octets.
fn name_at(octets: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 0;
    loop {
        let length = usize::from(*octets.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = octets.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).into_owned());
        at += length;
    }
}

/// Returns the type and the data of a record, or `None` for [`Record::Failure`].
fn data_of(record: Record) -> Option<(u16, Vec<u8>)> {
    Some(match record {
        Record::Address(IpAddr::V4(address)) => (1, address.octets().to_vec()),
        Record::Address(IpAddr::V6(address)) => (28, address.octets().to_vec()),
        Record::Exchanger(preference, name) => {
            let mut data = preference.to_be_bytes().to_vec();
            data.extend(encoded(name));
            (15, data)
        }
        Record::Pointer(name) => (12, encoded(name)),
        Record::Text(one, other) => {
            let strings = [one, other].map(|text| {
                let length = u8::try_from(text.len()).expect("texts of tests are short");
                [[length].as_slice(), text.as_bytes()].concat()
            });
            (16, strings.concat())
        }
        Record::Failure => return None,
    })
}

fn encoded(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).expect("labels of tests are short"));
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

/// The length of the header of a DNS message.
const HEADER: usize = 12;
/// QR and RD.
const RESPONSE: u8 = 0x81;
const RECURSION_AVAILABLE: u8 = 0x80;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
/// A compressed name: a pointer to the name in the question.
const QUESTION_NAME: [u8; 2] = [0xc0, 12];
