//! A node that listens with TLS, a peer that believes its certificate, one that believes another's.
use crate::town::{FAST, NAMES, START, Town, key, notice, origin, until};
use hamsaya_node::tls::trusting;
use hamsaya_node::{Options, ServeError, serve};
use hamsaya_record::envelope::Envelope;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Made with openssl, for localhost, until the year 2126; each vouches for itself.
fn pem(file: &str) -> PathBuf {
    Path::new("tests/it/tls").join(file)
}

/// P1 listens with TLS. P2 believes another certificate, all others P1's.
fn town(name: &str) -> Town {
    let mut town = Town::make(name, FAST);
    let (plain, secure) = (town.urls["P1"].clone(), town.urls["P1"].replace("http://", "https://"));
    for name in NAMES {
        let settings = town.home(name).join("node.toml");
        let mut text = fs::read_to_string(&settings).unwrap();
        if name == "P1" {
            text += "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
            fs::copy(pem("p1.cert.pem"), town.home(name).join("cert.pem")).unwrap();
            fs::copy(pem("p1.key.pem"), town.home(name).join("key.pem")).unwrap();
            chmod(&town.home(name).join("key.pem"), 0o600);
        } else {
            let believed = if name == "P2" { "other.cert.pem" } else { "p1.cert.pem" };
            fs::copy(pem(believed), town.home(name).join("p1.pem")).unwrap();
            let peer = format!("url = \"{plain}\"\n");
            assert!(text.contains(&peer));
            text = text.replace(&peer, &format!("url = \"{secure}\"\ncertificate = \"p1.pem\"\n"));
        }
        fs::write(settings, text).unwrap();
    }
    town.urls.insert("P1".into(), secure);
    town.trust(trusting(&pem("p1.cert.pem")).unwrap());
    town
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn chmod(_path: &Path, _mode: u32) {}

/// When a node last heard P1 answer.
fn heard_p1(town: &Town, name: &str) -> bool {
    let state = town.get(name, "/api/state").json();
    let peers = state["peers"].as_array().unwrap();
    peers.iter().any(|peer| peer["name"] == "P1" && peer["seen_at"].is_string())
}

#[test]
fn who_pins_its_certificate_reads_a_node_and_who_pins_another_does_not() {
    let mut town = town("tls");
    for name in NAMES {
        town.start_node(name);
    }
    town.set_clock(START);
    let envelope = Envelope::sign(notice(&town).to_payload(), &[&key("P1", "liaison")]);
    let receipt = town.state_statement("P1", &envelope);
    assert_eq!(receipt.status, 200, "{}", String::from_utf8_lossy(&receipt.body));
    // P2 gets the entry too, from the others' copies; P1 itself never answered it.
    town.holds(&origin("P1"), receipt.json()["index"].as_u64().unwrap(), START);
    for name in ["G1", "G2"] {
        until(&format!("{name} to hear P1"), || heard_p1(&town, name).then_some(()).ok_or("silence".to_string()));
    }
    assert!(!heard_p1(&town, "P2"), "P2 believes another certificate");
    let compared = |name: &str| town.get(name, "/api/digest/compare?peer=P1");
    assert_eq!(compared("G1").status, 200);
    let refused = compared("P2");
    assert_eq!(refused.status, 502, "{}", String::from_utf8_lossy(&refused.body));
    assert!(refused.json()["detail"].as_str().unwrap().contains("certificate"), "{}", refused.json());
}

#[test]
fn a_port_with_tls_takes_nothing_else_and_no_old_tls() {
    let mut town = town("tls-alone");
    town.start_node("P1");
    let address = town.urls["P1"].strip_prefix("https://").unwrap();
    let said = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut said = Vec::new();
        // It may end the connection as it likes.
        let _ = stream.read_to_end(&mut said);
        said
    };
    let plain = said(b"GET /api/state HTTP/1.1\r\nhost: p1\r\nconnection: close\r\n\r\n");
    assert!(!plain.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&plain));
    // A hello of TLS 1.1: 32 random bytes, no session, one suite, no compression, no extensions.
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    let alert = said(&hello);
    assert_eq!((alert.first(), alert.get(5)), (Some(&0x15), Some(&2)), "a fatal alert: {alert:?}");
    // Who says nothing holds up nobody.
    let silent = TcpStream::connect(address).unwrap();
    assert_eq!(town.get("P1", "/api/state").status, 200);
    drop(silent);
}

#[test]
fn what_tls_needs_is_checked_before_a_node_listens() {
    let town = town("tls-misfits");
    let (home, runtime) = (town.home("P1"), tokio::runtime::Runtime::new().unwrap());
    let good = fs::read_to_string(home.join("node.toml")).unwrap();
    let check = |settings: &str, expected: &str| {
        fs::write(home.join("node.toml"), settings).unwrap();
        let error = runtime.block_on(serve(&home, Options::default())).map(|_| ()).unwrap_err();
        assert!(matches!(error, ServeError::Folder(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(&good.replace("key = \"key.pem\"\n", ""), "one of `certificate` and `key`, allowed is both, or none of them");
    check(&good.replace("\"cert.pem\"", "\"key.pem\""), "found no certificate, allowed is at least one, in PEM");
    check(&good.replace("\"cert.pem\"", "\"none.pem\""), "none.pem: found No such file");
    fs::copy(pem("other.cert.pem"), home.join("other.pem")).unwrap();
    check(&good.replace("\"cert.pem\"", "\"other.pem\""), "allowed is a certificate, and the key that fits");
    let http = good.replacen("url = \"http", "certificate = \"cert.pem\"\nurl = \"http", 1);
    check(&http, "a `certificate` only where the `url` is https://");
    #[cfg(unix)]
    {
        chmod(&home.join("key.pem"), 0o644);
        check(&good, "key.pem: found mode 644, allowed is 600");
    }
}
