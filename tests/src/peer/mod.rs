//! Servers and clients of other projects, as the distribution packages them.

mod command;
pub mod dkim;
mod dovecot;
mod haproxy;
mod mime_reader;
mod nginx;
mod postfix;
mod postfix_client;
mod server;
mod swaks;
mod tls;

pub use self::command::{program, run};
pub use self::dovecot::Dovecot;
pub use self::haproxy::HaProxy;
pub use self::mime_reader::{MimePart, MimeReader, octets};
pub use self::nginx::{Nginx, NginxModule};
pub use self::postfix::{SmtpSink, smtp_source};
pub use self::postfix_client::Postfix;
pub use self::server::{free_address, is_root, pause};
pub use self::swaks::swaks;
pub use self::tls::{converse, s_client, s_client_starttls};
