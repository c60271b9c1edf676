use super::*;

/// The message of [`deliver`] as one chunk.
fn chunk() -> Chunk {
    Chunk::lines(11)
}

/// Sends a message in a chunk. Returns the written octets and the number of writes.
fn send(client: &mut Client, chunk: Chunk) -> (Vec<u8>, usize) {
    client.request(Request::Bdat(chunk));
    let mut writer = client.message().unwrap();
    writer.write(b"one\r\n.t").unwrap();
    writer.write(b"wo\r\n").unwrap();
    writer.finish().unwrap();
    assert!(client.message().is_none());
    let (mut written, mut pieces) = (Vec::new(), 0);
    while let Ok(ClientStep::Write(octets)) = client.step() {
        written.extend_from_slice(octets);
        pieces += 1;
    }
    (written, pieces)
}

fn envelope(client: &mut Client) {
    for request in [mail(MailParameters::default()), rcpt("a@b"), rcpt("c@d")] {
        client.request(request);
        run(client, &mut Vec::new(), &mut String::new());
        client.receive(b"250 ok\r\n");
        run(client, &mut Vec::new(), &mut String::new());
    }
}

#[test]
fn a_chunk_goes_out_in_one_piece_with_its_command() {
    let table: [(Chunk, &[u8]); 2] = [
        (chunk(), b"BDAT 11 LAST\r\none\r\n.two\r\n"),
        (Chunk::binary(11), b"BDAT 11 LAST\r\none\r\n.two\r\n"),
    ];
    for (chunk, expected) in table {
        let mut client = greeted(Protocol::Smtp, &["CHUNKING"]);
        envelope(&mut client);
        assert_eq!(send(&mut client, chunk), (expected.to_vec(), 1));
        let reported = play(&mut client, &["S: 250 ok", "S: 250 more"]);
        assert_eq!(reported, ["message 250", "Unsolicited"]);
    }
}

#[test]
fn a_chunk_has_one_reply_for_each_recipient_over_lmtp() {
    let mut client = greeted(Protocol::Lmtp, &["PIPELINING", "CHUNKING"]);
    for _ in 0..2 {
        envelope(&mut client);
        send(&mut client, chunk());
        let reported = play(&mut client, &["S: 250 ok", "S: 452 full"]);
        assert_eq!(reported, ["message 250", "message refused 452"]);
        assert_eq!(client.step(), Ok(ClientStep::Idle));
    }
}

#[test]
fn a_chunk_waits_until_the_envelope_is_answered() {
    let mut client = greeted(Protocol::Smtp, &["PIPELINING", "CHUNKING"]);
    client.request(mail(MailParameters::default()));
    client.request(rcpt("c@d"));
    client.request(Request::Bdat(Chunk::binary(2)));
    let mut written = String::new();
    run(&mut client, &mut Vec::new(), &mut written);
    assert_eq!(written, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
    assert!(client.message().is_none());
    let reported = play(&mut client, &["S: 250 ok", "S: 250 ok", "C: BDAT 2 LAST"]);
    assert_eq!(reported, ["MAIL 250", "RCPT 250"]);
    assert!(client.message().is_some());
}

#[test]
fn a_chunk_may_be_refused_before_its_end_but_not_accepted() {
    for (reply, expected) in [
        ("552 big", "message refused 552"),
        ("250 ok", "Unsolicited"),
        ("354 go", "Code { stage: Message, code: 354 }"),
    ] {
        let mut client = greeted(Protocol::Smtp, &["CHUNKING"]);
        client.request(Request::Bdat(Chunk::binary(100)));
        client.message().unwrap().write(b"half").unwrap();
        run(&mut client, &mut Vec::new(), &mut String::new());
        assert_eq!(play(&mut client, &[&format!("S: {reply}")]), [expected]);
    }
}

#[test]
fn a_chunk_that_is_too_long_becomes_no_command() {
    let mut client = greeted(Protocol::Smtp, &["CHUNKING"]);
    client.request(Request::Bdat(Chunk::binary(4)));
    let mut writer = client.message().unwrap();
    writer.write(b"four").unwrap();
    assert_eq!(writer.write(b"QUIT\r\n"), Err(WrongSize.into()));
    assert_eq!(writer.finish(), Err(WrongSize.into()));
    let mut written = String::new();
    run(&mut client, &mut Vec::new(), &mut written);
    assert_eq!(written, "BDAT 4 LAST\r\nfour");
}

/// The octets of a chunk are commands for a server that does not honour BDAT.
#[test]
fn the_first_octet_goes_alone_until_the_server_has_taken_it() {
    let mut client = greeted(Protocol::Lmtp, &["PIPELINING", "CHUNKING"]);
    envelope(&mut client);
    client.request(Request::FirstChunk(b'o'));
    client.request(Request::Reset);
    let mut written = String::new();
    run(&mut client, &mut Vec::new(), &mut written);
    assert_eq!(written, "BDAT 1\r\no", "nothing follows before the reply");
    let reported = play(&mut client, &["S: 250 one octet", "C: RSET", "S: 250 ok"]);
    assert_eq!(reported, ["first BDAT 250", "RSET 250"]);
    envelope(&mut client);
    let (written, _) = send(&mut client, chunk().without_first());
    assert_eq!(written, b"BDAT 10 LAST\r\nne\r\n.two\r\n");
}
