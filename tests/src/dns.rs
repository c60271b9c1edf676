//! A name server with a few names in it.

use std::net::{IpAddr, SocketAddr, UdpSocket};

/// A record of a name.
#[derive(Clone, Copy, Debug)]
pub enum Record {
    /// An address of it.
    Address(IpAddr),
    /// A mail exchanger: the preference and the name, which is empty in a null MX.
    Exchanger(u16, &'static str),
    /// The name of an address, where the record's own name is below `in-addr.arpa`.
    Pointer(&'static str),
    /// Nothing but the answer that the server has failed.
    Failure,
}

/// The server, on a loopback port of its own, as long as the test runs.
pub struct NameServer {
    address: SocketAddr,
    /// A server that is dead keeps its port, so that nobody else answers there.
    silent: Option<UdpSocket>,
}

impl NameServer {
    /// A server that knows these names and says of all others that they do not exist.
    pub fn with(records: &[(&'static str, Record)]) -> Self {
        let (socket, address) = bound();
        let records = records.to_vec();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                let Some(answer) = answer(&query[..length], &records) else {
                    continue;
                };
                // An error says that the gateway has gone already.
                _ = socket.send_to(&answer, client);
            }
        });
        Self {
            address,
            silent: None,
        }
    }

    /// A server that never answers.
    pub fn dead() -> Self {
        let (socket, address) = bound();
        Self {
            address,
            silent: Some(socket),
        }
    }

    /// The settings that make a gateway ask this server, and not wait long where it is dead.
    pub fn settings(&self) -> String {
        let timeout = match self.silent {
            Some(_) => "300ms",
            None => "5s",
        };
        self.settings_with(timeout)
    }

    /// The same, with another time to wait for an answer.
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

/// The answer to a query of one question (RFC 1035 §4.1).
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
        None => NO_SUCH_NAME,
        Some(Record::Failure) => FAILURE,
        Some(_) => 0,
    };
    let records: Vec<_> = known.into_iter().filter_map(data_of).collect();
    let fitting: Vec<_> = records.iter().filter(|(of, _)| *of == kind).collect();
    let mut answer = query[..2].to_vec();
    answer.extend([IS_ANSWER, IS_RECURSIVE | code, 0, 1]);
    answer.extend(u16::try_from(fitting.len()).ok()?.to_be_bytes());
    answer.extend([0; 4]);
    answer.extend(question);
    for (_, data) in fitting {
        answer.extend(NAME_OF_QUESTION);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 1, 44]);
        answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

/// The name that stands at the start, and how many octets it has there.
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

/// The number of the kind of a record, and its data.
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

/// The octets of a message before its question.
const HEADER: usize = 12;
const IS_ANSWER: u8 = 0x81;
const IS_RECURSIVE: u8 = 0x80;
const FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;
/// Points to the name behind the header.
const NAME_OF_QUESTION: [u8; 2] = [0xc0, 12];
