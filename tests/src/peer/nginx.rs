//! Nginx, which sends the gateway a PROXY header.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::command::program;
use super::server::Server;

/// How a proxy treats connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NginxModule {
    /// The module `mail`: it speaks SMTP with the client up to the first recipient.
    Mail,
    /// The module `stream`: it passes on octets.
    Stream,
}

/// A proxy in front of a gateway.
pub struct Nginx {
    _server: Server,
    address: SocketAddr,
    _directory: TempDir,
}

impl Nginx {
    /// Starts a proxy that sends a PROXY header.
    ///
    /// # Panics
    ///
    /// Panics if Nginx or one of its modules is not installed.
    pub fn start(gateway: SocketAddr, module: NginxModule) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let (server, address) =
            Server::start(|address| command(directory.path(), address, gateway, module));
        Self {
            _server: server,
            address,
            _directory: directory,
        }
    }

    /// Returns the address for clients.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

fn command(
    directory: &Path,
    address: SocketAddr,
    gateway: SocketAddr,
    module: NginxModule,
) -> Command {
    let here = directory.display();
    let service = match module {
        NginxModule::Mail => mail(directory, address, gateway),
        NginxModule::Stream => format!(
            "load_module {MODULES}/ngx_stream_module.so;
events {{}}
stream {{
  server {{ listen {address}; proxy_pass {gateway}; proxy_protocol on; }}
}}
"
        ),
    };
    let configuration = format!(
        "daemon off;
master_process off;
pid {here}/pid;
error_log {here}/error.log;
{service}"
    );
    let file = directory.join("nginx.conf");
    fs::write(&file, configuration).expect("the configuration");
    let mut command = program("nginx");
    command.arg("-c").arg(file).arg("-p").arg(directory);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The module asks an HTTP server where each client belongs; here, the same Nginx.
fn mail(directory: &Path, address: SocketAddr, gateway: SocketAddr) -> String {
    let here = directory.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {here}/{kind};\n"))
        .collect();
    format!(
        "load_module {MODULES}/ngx_mail_module.so;
events {{}}
mail {{
  server_name proxy.example;
  auth_http unix:{here}/where:/;
  proxy_protocol on;
  xclient off;
  server {{ listen {address}; protocol smtp; smtp_auth none; }}
}}
http {{
  access_log off;
{temporary}  server {{
    listen unix:{here}/where;
    location / {{
      add_header Auth-Status OK always;
      add_header Auth-Server {ip} always;
      add_header Auth-Port {port} always;
      return 200;
    }}
  }}
}}
",
        ip = gateway.ip(),
        port = gateway.port(),
    )
}

const MODULES: &str = "/usr/lib/nginx/modules";
