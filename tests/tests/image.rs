//! The container image: nothing but the program and its libraries, configured by its environment.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use postgate_tests::client::Client;
use postgate_tests::gateway::{repository, wait};
use postgate_tests::log::Log;
use postgate_tests::peer::run;

/// Unpacks an archive into a directory that is made for it.
fn unpack(archive: &Path, directory: &Path) {
    fs::create_dir(directory).expect("a directory");
    let mut tar = Command::new("tar");
    let output = run(tar.arg("-xf").arg(archive).arg("-C").arg(directory));
    assert!(output.status.success(), "{}", archive.display());
}

#[test]
fn an_image_serves_with_nothing_but_its_environment() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, image, root) = (
        directory.path().join("image.tar"),
        directory.path().join("image"),
        directory.path().join("root"),
    );
    let output = run(Command::new(repository().join("scripts/image")).arg(&file));
    assert!(output.status.success(), "{output:?}");
    unpack(&file, &image);
    let text = |name: &str| fs::read_to_string(image.join(name)).expect("a part of the image");
    let manifest: serde_json::Value = serde_json::from_str(&text("manifest.json")).expect("JSON");
    assert_eq!(manifest[0]["Layers"][0], "layer.tar");
    let config: serde_json::Value = serde_json::from_str(&text("config.json")).expect("JSON");
    assert_eq!(config["config"]["User"], "65534:65534");
    unpack(&image.join("layer.tar"), &root);

    let home = config["config"]["WorkingDir"].as_str().expect("a path");
    let entry = config["config"]["Entrypoint"].as_array().expect("a list");
    let entry: Vec<_> = entry.iter().filter_map(|word| word.as_str()).collect();
    // What a container engine does, as far as it matters here.
    let mut container = Command::new("unshare");
    container
        .args(["--root".as_ref(), root.as_os_str()])
        .args(["--wd", home, "--setuid", "65534", "--setgid", "65534"])
        .args(&entry)
        .env_clear()
        .env("POSTGATE_LISTEN", "127.0.0.1:0")
        .env("POSTGATE_HOSTNAME", "mx.example.org")
        .env("POSTGATE_RELAY_DOMAINS", "example.org")
        .env("POSTGATE_BACKEND", "maildir:mail")
        .env("POSTGATE_PLUGINS", "plugins")
        .env("POSTGATE_LOG_FORMAT", "json")
        .stderr(Stdio::piped());
    let mut container = container.spawn().expect("unshare, of util-linux");
    let log = Log::collect(container.stderr.take().expect("a log"));
    let listening = log.wait_for_message("listening");
    let address = listening["address"].as_str().expect("an address");
    let mut client = Client::greeted(address.parse().expect("an address"));
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(
        client
            .message(b"Subject: x\r\n\r\nhello\r\n")
            .starts_with("250")
    );
    let kill = run(Command::new("kill").arg(container.id().to_string()));
    assert!(kill.status.success());
    assert!(wait(&mut container).success());
    let mail = fs::read_dir(root.join(&home[1..]).join("mail/new")).expect("a maildir");
    assert_eq!(mail.count(), 1);
}
